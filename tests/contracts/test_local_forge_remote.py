"""The local forge behind a URL: several machines on one remote, and remotes that refuse."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from parallel_workers.adapters.local_forge.forge import LocalForge, open_local_forge
from parallel_workers.pull_requests import MergeOutcome, PullRequest, PullRequestDraft, PullRequestState
from parallel_workers.spec import MergeMethod
from tests.contracts.conftest import serving

Git = Callable[..., str]
Make = Callable[..., Path]


def _push_branch(clone: Path, name: str, git: Git) -> PullRequestDraft:
    worktree = clone.parent / f"{clone.name}-{name}"
    git(clone, "worktree", "add", "--quiet", "--no-track", "-b", f"feature/{name}", str(worktree), "origin/main")
    (worktree / f"{name}.txt").write_text("x\n")
    git(worktree, "add", "--all")
    git(worktree, "commit", "--quiet", "--message", f"feat: {name}")
    git(worktree, "push", "--quiet", "origin", f"feature/{name}")
    head = git(worktree, "rev-parse", "HEAD")
    return PullRequestDraft(f"worker-{name}", f"Do {name}", "", f"feature/{name}", head, "main")


def test_two_machines_open_and_merge_on_one_remote(make_repository: Make, git: Git, tmp_path: Path) -> None:
    make_repository(bare_remote=True)
    with serving(tmp_path) as url:
        clones = [tmp_path / name for name in ("east", "west")]
        for clone in clones:
            git(tmp_path, "clone", "--quiet", f"{url}/repo.git", str(clone))
        drafts = [_push_branch(clone, f"{clone.name}-{n}", git) for clone in clones for n in range(3)]
        # no lock is shared between two clones: only the remote's compare-and-swap keeps them apart
        forges = [open_local_forge(clone) for clone in clones for _ in range(3)]

        def carry_out(forge: LocalForge, draft: PullRequestDraft) -> PullRequest:
            attempt = forge.merge_pull_request(forge.ensure_pull_request(draft).number, MergeMethod.SQUASH)
            assert attempt.outcome is MergeOutcome.MERGED, attempt
            return attempt.pull_request

        with ThreadPoolExecutor(len(drafts)) as pool:
            merged = list(pool.map(carry_out, forges, drafts))
        seen = [open_local_forge(clone).fetch_pull_requests(include_ended=True) for clone in clones]
    assert sorted(pull.number for pull in merged) == list(range(1, len(drafts) + 1))
    assert [{pull.merge_sha for pull in listed} for listed in seen] == [{pull.merge_sha for pull in merged}] * 2
    remote = tmp_path / "repo.git"
    assert int(git(remote, "rev-list", "--count", "main")) == len(drafts) + 1
    git(remote, "fsck", "--strict")
    for clone in clones:
        assert git(clone, "for-each-ref", "refs/parallel-workers") == ""
        assert not (clone / ".git" / "FETCH_HEAD").exists()


def test_a_remote_with_the_base_checked_out_makes_the_merge_wait(
    make_repository: Make, git: Git, tmp_path: Path
) -> None:
    remote = make_repository("remote")
    with serving(tmp_path) as url:
        clone = tmp_path / "clone"
        git(tmp_path, "clone", "--quiet", f"{url}/remote/.git", str(clone))
        forge = open_local_forge(clone)
        pull = forge.ensure_pull_request(_push_branch(clone, "a", git))
        base = git(remote, "rev-parse", "main")
        attempt = forge.merge_pull_request(pull.number, MergeMethod.MERGE)
        assert (attempt.outcome, attempt.pull_request.state) == (MergeOutcome.WAIT, PullRequestState.OPEN)
        assert "checked out" in attempt.reason
        assert git(remote, "rev-parse", "main") == base
        git(remote, "switch", "--quiet", "--detach")
        assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
