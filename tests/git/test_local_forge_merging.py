"""Merging without a checkout: what a rebase keeps, and who commits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.local_forge.forge import LocalForge, open_local_forge
from parallel_workers.pull_request_marker import marker
from parallel_workers.pull_requests import MergeOutcome, PullRequest, PullRequestDraft
from parallel_workers.spec import MergeMethod

Git = Callable[..., str]


@pytest.fixture
def repository(make_repository: Callable[..., Path], git: Git) -> Path:
    """A repository with branch feature/a checked out, so that main is checked out nowhere."""
    path = make_repository()
    git(path, "switch", "--quiet", "--create", "feature/a")
    return path


def _commit(repository: Path, git: Git, name: str, text: str, *options: str) -> str:
    (repository / name).write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", *(options or ("--message", f"feat: {name}")))
    return git(repository, "rev-parse", "HEAD")


def _move_main(repository: Path, git: Git, name: str, text: str) -> None:
    git(repository, "switch", "--quiet", "main")
    _commit(repository, git, name, text)
    git(repository, "switch", "--quiet", "feature/a")


def _open(repository: Path, git: Git) -> tuple[LocalForge, PullRequest]:
    forge = open_local_forge(repository)
    head = git(repository, "rev-parse", "feature/a")
    return forge, forge.ensure_pull_request(PullRequestDraft("worker-a", "A", "", "feature/a", head, "main"))


def test_a_rebase_onto_a_base_that_stood_still_moves_it_to_the_head(repository: Path, git: Git) -> None:
    head = [_commit(repository, git, name, "x\n") for name in ("a", "b")][-1]
    forge, pull = _open(repository, git)
    assert forge.merge_pull_request(pull.number, MergeMethod.REBASE).outcome is MergeOutcome.MERGED
    assert git(repository, "rev-parse", "main") == head


def test_a_rebase_leaves_merges_of_the_base_out(repository: Path, git: Git) -> None:
    _commit(repository, git, "a", "1\n")
    _move_main(repository, git, "m", "1\n")
    git(repository, "merge", "--quiet", "--no-edit", "main")
    _commit(repository, git, "a", "2\n", "--message", "feat: a again")
    _move_main(repository, git, "n", "1\n")
    forge, pull = _open(repository, git)
    assert forge.merge_pull_request(pull.number, MergeMethod.REBASE).outcome is MergeOutcome.MERGED
    subjects = git(repository, "log", "--format=%s", "main").split("\n")
    assert subjects == ["feat: a again", "feat: a", "feat: n", "feat: m", "chore: begin"]
    assert git(repository, "show", "main:a") == "2"


def test_a_conflict_in_a_later_commit_stops_the_whole_rebase(repository: Path, git: Git) -> None:
    _commit(repository, git, "a", "1\n")
    _commit(repository, git, "src/one.txt", "branch\n")
    _move_main(repository, git, "src/one.txt", "main\n")
    base = git(repository, "rev-parse", "main")
    forge, pull = _open(repository, git)
    attempt = forge.merge_pull_request(pull.number, MergeMethod.REBASE)
    assert (attempt.outcome, attempt.files) == (MergeOutcome.CONFLICT, ("src/one.txt",))
    assert git(repository, "rev-parse", "main") == base


def test_a_rebase_keeps_author_date_and_encoding(repository: Path, git: Git, tmp_path: Path) -> None:
    message = tmp_path / "message"
    message.write_bytes("feat: grüße\n\nbody\n".encode("latin-1"))
    git(repository, "config", "i18n.commitEncoding", "ISO-8859-1")
    author = ("--author=A <a@b.invalid>", "--date=2001-02-03T04:05:06+0700")
    _commit(repository, git, "a", "1\n", f"--file={message}", *author)
    git(repository, "config", "--unset", "i18n.commitEncoding")
    _move_main(repository, git, "m", "1\n")
    forge, pull = _open(repository, git)
    forge.merge_pull_request(pull.number, MergeMethod.REBASE)
    shown = git(repository, "log", "-1", "--encoding=UTF-8", "--format=%an|%ae|%ai|%cn|%s|%b", "main")
    assert shown == "A|a@b.invalid|2001-02-03 04:05:06 +0700|Test Author|feat: grüße|body"
    git(repository, "fsck", "--strict")


def test_the_clones_configured_name_commits_in_a_bare_remote(
    make_repository: Callable[..., Path], git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = make_repository("other", bare_remote=True)
    head = git(clone, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "work")
    git(clone, "push", "--quiet", "origin", f"{head}:refs/heads/feature/a")
    git(clone, "config", "user.name", "Ann in the clone")
    git(clone, "config", "user.email", "ann@example.invalid")
    monkeypatch.delenv("GIT_COMMITTER_NAME")
    monkeypatch.delenv("GIT_COMMITTER_EMAIL")
    forge = open_local_forge(clone)
    forge.ensure_pull_request(PullRequestDraft("worker-a", "A", "", "feature/a", head, "main"))
    remote = clone.parent / "other.git"
    assert git(remote, "log", "-1", "--format=%cn", "refs/parallel-workers/pulls/1/meta") == "Ann in the clone"


def test_without_a_configured_name_the_product_commits(
    repository: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    _commit(repository, git, "a", "1\n")
    git(repository, "config", "user.useConfigOnly", "true")
    for name in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"):
        monkeypatch.delenv(name)
    forge, pull = _open(repository, git)
    assert forge.merge_pull_request(pull.number, MergeMethod.SQUASH).outcome is MergeOutcome.MERGED
    assert git(repository, "log", "-1", "--format=%cn|%an", "main") == "parallel-workers|Test Author"


def test_programs_planted_in_the_shared_config_do_not_run(repository: Path, git: Git, tmp_path: Path) -> None:
    _commit(repository, git, "src/one.txt", "branch\n")
    _move_main(repository, git, "src/one.txt", "main\n")
    ran = tmp_path / "ran"
    for key in ("merge.evil.driver", "diff.evil.command", "diff.evil.textconv", "filter.evil.smudge", "gpg.program"):
        git(repository, "config", key, f"touch {ran}; cat")
    git(repository, "config", "log.showSignature", "true")
    (repository / ".git" / "info" / "attributes").write_text("* merge=evil diff=evil\n")
    forge, pull = _open(repository, git)
    for method in MergeMethod:
        assert forge.merge_pull_request(pull.number, method).outcome is MergeOutcome.CONFLICT
    git(repository, "update-ref", "refs/heads/main", git(repository, "commit-tree", "-p", "main", "-mx", "main^{tree}"))
    forge.fetch_pull_requests()
    assert not ran.exists()


def test_a_shallow_repository_merges(make_repository: Callable[..., Path], git: Git, tmp_path: Path) -> None:
    source = make_repository("source")
    _commit(source, git, "later", "1\n")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{source}", str(shallow))
    git(shallow, "remote", "remove", "origin")
    git(shallow, "switch", "--quiet", "--create", "feature/a")
    _commit(shallow, git, "a", "1\n")
    forge, pull = _open(shallow, git)
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert git(shallow, "show", "main:a") == "1"


@pytest.mark.parametrize("method", [MergeMethod.MERGE, MergeMethod.SQUASH])
def test_the_hidden_marker_stays_out_of_commit_messages(repository: Path, git: Git, method: MergeMethod) -> None:
    head = _commit(repository, git, "a", "1\n")
    forge = open_local_forge(repository)
    body = f"What was done\n\n{marker('worker-a')}\n"
    pull = forge.ensure_pull_request(PullRequestDraft("worker-a", "A", body, "feature/a", head, "main"))
    assert forge.merge_pull_request(pull.number, method).outcome is MergeOutcome.MERGED
    message = git(repository, "log", "-1", "--format=%B", "main")
    assert "<!--" not in message
    assert message.rstrip().endswith("Worker: worker-a")
    assert ("What was done" in message) is (method is MergeMethod.SQUASH)
