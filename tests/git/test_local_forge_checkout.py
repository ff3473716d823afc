"""The base branch is checked out somewhere: a clean checkout comes along, any other makes the merge wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git.command import run_git
from parallel_workers.adapters.local_forge.checkout import brought_along
from parallel_workers.adapters.local_forge.forge import LocalForge, open_local_forge
from parallel_workers.adapters.local_forge.host import find_host
from parallel_workers.errors import UntrustedConfigError
from parallel_workers.pull_requests import MergeOutcome, PullRequest, PullRequestDraft, PullRequestState
from parallel_workers.spec import MergeMethod

Git = Callable[..., str]
Make = Callable[..., Path]


def _open(repository: Path, git: Git, files: dict[str, str]) -> tuple[LocalForge, PullRequest]:
    """A pull request whose branch was made without touching the main checkout."""
    worktree = repository.parent / "work"
    git(repository, "worktree", "add", "--quiet", "--no-track", "-b", "feature/a", str(worktree), "main")
    for name, text in files.items():
        (worktree / name).write_text(text)
    git(worktree, "add", "--all", "--force")
    git(worktree, "commit", "--quiet", "--message", "feat: a")
    forge = open_local_forge(repository)
    head = git(worktree, "rev-parse", "HEAD")
    return forge, forge.ensure_pull_request(PullRequestDraft("worker-a", "A", "", "feature/a", head, "main"))


def _assert_waits(forge: LocalForge, pull: PullRequest, checkout: Path, files: tuple[str, ...], git: Git) -> None:
    base, shown = git(checkout, "rev-parse", "main"), git(checkout, "status", "--porcelain")
    for method in MergeMethod:
        attempt = forge.merge_pull_request(pull.number, method)
        assert (attempt.outcome, attempt.files) == (MergeOutcome.WAIT, files)
        assert str(checkout) in attempt.reason
        assert all(name in attempt.reason for name in files)
        assert attempt.pull_request.state is PullRequestState.OPEN
    assert git(checkout, "rev-parse", "main") == base
    assert git(checkout, "status", "--porcelain") == shown


@pytest.mark.parametrize("method", list(MergeMethod), ids=lambda method: method.value)
def test_a_clean_main_checkout_comes_along(make_repository: Make, git: Git, method: MergeMethod) -> None:
    repository = make_repository("näme with space")
    (repository / "notes.txt").write_text("mine, untracked\n")
    forge, pull = _open(repository, git, {"README.md": "# changed\n", "new.txt": "new\n"})
    assert forge.merge_pull_request(pull.number, method).outcome is MergeOutcome.MERGED
    assert (repository / "README.md").read_text() == "# changed\n"
    assert (repository / "new.txt").read_text() == "new\n"
    assert git(repository, "status", "--porcelain") == "?? notes.txt"
    assert git(repository, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(repository, "rev-parse", "HEAD") == git(repository, "rev-parse", "main")


def test_a_linked_worktree_of_a_bare_repository_comes_along(make_repository: Make, git: Git) -> None:
    bare = make_repository(bare_remote=True).parent / "repo.git"
    git(bare, "remote", "remove", "origin")
    linked = bare.parent / "linked"
    git(bare, "worktree", "add", "--quiet", str(linked), "main")
    forge, pull = _open(bare, git, {"new.txt": "new\n"})
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert (linked / "new.txt").read_text() == "new\n"
    assert git(linked, "status", "--porcelain") == ""


def test_both_come_along_when_the_branch_is_checked_out_twice(make_repository: Make, git: Git) -> None:
    repository = make_repository()
    second = repository.parent / "second"
    git(repository, "worktree", "add", "--quiet", "--force", str(second), "main")
    forge, pull = _open(repository, git, {"new.txt": "new\n"})
    (second / "README.md").write_text("unsaved\n")
    _assert_waits(forge, pull, second, ("README.md",), git)
    assert not (repository / "new.txt").exists()
    git(second, "checkout", "--quiet", "README.md")
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert [git(checkout, "status", "--porcelain") for checkout in (repository, second)] == ["", ""]


def test_another_branch_checked_out_is_left_alone(make_repository: Make, git: Git) -> None:
    repository = make_repository()
    forge, pull = _open(repository, git, {"new.txt": "new\n"})
    git(repository, "switch", "--quiet", "--create", "elsewhere")
    (repository / "README.md").write_text("unsaved\n")
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert not (repository / "new.txt").exists()
    assert git(repository, "diff", "--name-only") == "README.md"
    assert git(repository, "show", "main:new.txt") == "new"


def test_uncommitted_changes_make_it_wait_and_are_named(make_repository: Make, git: Git) -> None:
    repository = make_repository()
    forge, pull = _open(repository, git, {"new.txt": "new\n"})
    (repository / "src" / "one.txt").write_text("unsaved\n")
    (repository / "README.md").write_text("staged\n")
    git(repository, "add", "README.md")
    _assert_waits(forge, pull, repository, ("README.md", "src/one.txt"), git)
    assert (repository / "src" / "one.txt").read_text() == "unsaved\n"
    git(repository, "reset", "--quiet", "--hard")
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED


@pytest.mark.parametrize("ignored", [False, True], ids=["untracked", "ignored"])
def test_a_file_in_the_way_makes_it_wait_and_is_kept(make_repository: Make, git: Git, *, ignored: bool) -> None:
    repository = make_repository(files={".gitignore": ".env\n" if ignored else "x\n"})
    forge, pull = _open(repository, git, {".env": "theirs\n"})
    (repository / ".env").write_text("mine\n")
    _assert_waits(forge, pull, repository, (".env",), git)
    assert (repository / ".env").read_text() == "mine\n"


def test_a_git_at_work_in_the_checkout_makes_it_wait(make_repository: Make, git: Git) -> None:
    repository = make_repository()
    forge, pull = _open(repository, git, {"new.txt": "new\n"})
    lock = repository / ".git" / "index.lock"
    lock.touch()
    attempt = forge.merge_pull_request(pull.number, MergeMethod.MERGE)
    assert attempt.outcome is MergeOutcome.WAIT
    assert "index.lock" in attempt.reason
    lock.unlink()
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED


def test_when_the_branch_cannot_be_moved_the_checkout_is_put_back(make_repository: Make, git: Git) -> None:
    repository = make_repository()
    _, pull = _open(repository, git, {"README.md": "# changed\n", "new.txt": "new\n"})
    host, base = find_host(repository), git(repository, "rev-parse", "main")
    with pytest.raises(RuntimeError), brought_along(host, "main", base, pull.head_sha):
        assert (repository / "new.txt").exists()
        raise RuntimeError("the ref moved")
    assert not (repository / "new.txt").exists()
    assert git(repository, "status", "--porcelain") == ""


def test_an_attempt_killed_before_the_branch_moved_is_taken_up_again(make_repository: Make, git: Git) -> None:
    repository = make_repository()
    forge, pull = _open(repository, git, {"README.md": "# changed\n", "new.txt": "new\n"})
    base = git(repository, "rev-parse", "main")
    # where kill -9 leaves it: the files are there, the branch is where it was
    run_git(repository, "read-tree", "-m", "-u", base, pull.head_sha)
    assert git(repository, "status", "--porcelain") != ""
    assert open_local_forge(repository).merge_pull_request(pull.number, MergeMethod.SQUASH).outcome is (
        MergeOutcome.MERGED
    )
    assert git(repository, "status", "--porcelain") == ""
    assert (repository / "new.txt").read_text() == "new\n"
    assert forge.fetch_pull_requests() == ()


def _plant(repository: Path, proof: Path, git: Git) -> None:
    """What an agent can do from its worktree: a program that keeps what it finds in its environment."""
    evil = proof.with_name("evil.sh")
    evil.write_text(f"#!/bin/sh\nenv >> '{proof}'\ncat\n", encoding="utf-8")
    evil.chmod(0o755)
    git(repository.parent / "work", "config", "filter.x.smudge", str(evil))
    git(repository.parent / "work", "config", "filter.x.clean", str(evil))
    (repository / ".git" / "info" / "attributes").write_text("* filter=x\n", encoding="utf-8")


def test_a_planted_filter_is_not_run(
    make_repository: Make, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOO_TOKEN", "SEKRET")
    repository, proof = make_repository(), tmp_path / "proof"
    forge, pull = _open(repository, git, {"README.md": "# changed\n"})
    base = git(repository, "rev-parse", "main")
    _plant(repository, proof, git)
    for method in MergeMethod:
        with pytest.raises(UntrustedConfigError, match=r"filter\.x\.clean, filter\.x\.smudge"):
            forge.merge_pull_request(pull.number, method)
    git(repository, "config", "--remove-section", "filter.x")
    with pytest.raises(UntrustedConfigError, match="info/attributes"):
        forge.merge_pull_request(pull.number, MergeMethod.MERGE)
    assert not proof.exists()
    assert git(repository, "rev-parse", "main") == base
    assert (repository / "README.md").read_text() == "# a project\n"
    (repository / ".git" / "info" / "attributes").unlink()
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED


def test_a_filter_that_was_there_before_runs_and_sees_no_secret(
    make_repository: Make, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "FOO_TOKEN": "SEKRET",
        "SSH_AUTH_SOCK": "/SEKRET",
        "GIT_ASKPASS": "/SEKRET",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": "Authorization: SEKRET",
        "GIT_CONFIG_KEY_1": "core.autocrlf",
        "GIT_CONFIG_VALUE_1": "false",
    }
    repository, proof = make_repository(), tmp_path / "proof"
    _, pull = _open(repository, git, {"README.md": "# changed\n"})
    _plant(repository, proof, git)
    forge = open_local_forge(repository)
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert (repository / "README.md").read_text() == "# changed\n"
    seen = proof.read_text()
    assert not any(secret in seen for secret in ("SEKRET", "extraHeader"))
    assert all(kept in seen for kept in ("core.autocrlf", "HOME=", "PATH="))


def test_the_git_file_of_a_checkout_is_not_believed(make_repository: Make, git: Git, tmp_path: Path) -> None:
    bare = make_repository(bare_remote=True).parent / "repo.git"
    git(bare, "remote", "remove", "origin")
    linked, proof = bare.parent / "linked", tmp_path / "proof"
    git(bare, "worktree", "add", "--quiet", str(linked), "main")
    forge, pull = _open(bare, git, {"new.txt": "new\n"})
    evil = make_repository("evil")
    git(evil, "config", "filter.x.smudge", f"touch {proof}; cat")
    (evil / ".git" / "info" / "attributes").write_text("* filter=x\n", encoding="utf-8")
    (linked / ".git").write_text(f"gitdir: {evil}/.git\n", encoding="utf-8")
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert not proof.exists()
    assert (linked / "new.txt").read_text() == "new\n"


def test_with_a_remote_the_clones_own_checkout_of_the_base_is_not_touched(make_repository: Make, git: Git) -> None:
    clone = make_repository(bare_remote=True)
    remote, before = clone.parent / "repo.git", git(clone, "rev-parse", "main")
    git(clone, "switch", "--quiet", "--create", "feature/a")
    (clone / "new.txt").write_text("new\n")
    git(clone, "add", "new.txt")
    git(clone, "commit", "--quiet", "--message", "feat: a")
    git(clone, "push", "--quiet", "origin", "feature/a")
    head = git(clone, "rev-parse", "HEAD")
    git(clone, "switch", "--quiet", "main")
    (clone / "README.md").write_text("unsaved\n")
    forge = open_local_forge(clone)
    pull = forge.ensure_pull_request(PullRequestDraft("worker-a", "A", "", "feature/a", head, "main"))
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert git(remote, "show", "main:new.txt") == "new"
    assert git(clone, "rev-parse", "main") == before
    assert not (clone / "new.txt").exists()
