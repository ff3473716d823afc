"""What a worktree and a branch hold, and committing it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git.discovery import NEUTRAL_EMAIL, NEUTRAL_NAME
from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.errors import GitCommandError, UsageError
from parallel_workers.worktrees import BranchWork, Commit, WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree that exists."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


def test_status_tells_changed_and_untracked(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(plan.path, "mv", "src/one.txt", "src/zwei drei.txt")
    (plan.path / "README.md").write_text("changed", encoding="utf-8")
    (plan.path / "neu\nzeile.txt").write_text("x", encoding="utf-8")
    (plan.path / "folder").mkdir()
    (plan.path / "folder/file").write_text("x", encoding="utf-8")

    status = repository.get_status(plan.path, plan.base_sha)

    assert status.changed == ("README.md", "src/one.txt", "src/zwei drei.txt")
    assert status.untracked == ("folder/", "neu\nzeile.txt")
    assert (status.branch, status.head_sha, status.commits_ahead) == (plan.branch, plan.base_sha, 0)
    assert not status.clean


def test_status_does_not_lock_or_write_the_index(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    """An agent may be committing there at this moment."""
    index = repository.common_dir / "worktrees" / plan.path.name / "index"
    (plan.path / "README.md").touch()
    before = index.stat().st_mtime_ns, index.read_bytes()
    (index.parent / "index.lock").write_text("", encoding="utf-8")

    assert repository.get_status(plan.path, plan.base_sha).clean
    assert (index.stat().st_mtime_ns, index.read_bytes()) == before


def test_status_counts_commits_and_knows_conflicts(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    for text in ("one", "two"):
        (plan.path / "README.md").write_text(text, encoding="utf-8")
        repository.commit_all(plan.path, text)
    git(plan.path, "branch", "side", "HEAD~1")
    git(plan.path, "switch", "--quiet", "side")
    (plan.path / "README.md").write_text("three", encoding="utf-8")
    git(plan.path, "commit", "--quiet", "--all", "--message", "three")
    (plan.path / "x").write_text("", encoding="utf-8")
    with pytest.raises(AssertionError, match="git merge"):
        git(plan.path, "merge", plan.branch)

    status = repository.get_status(plan.path, plan.base_sha)

    assert (status.branch, status.commits_ahead, status.changed) == ("side", 2, ("README.md",))


def test_status_of_the_main_checkout_and_of_a_stranger(repository: GitPythonRepository, tmp_path: Path) -> None:
    (repository.path / "new.txt").write_text("x", encoding="utf-8")

    assert repository.get_status(repository.path, "HEAD~0").untracked == ("new.txt",)
    with pytest.raises(UsageError, match="is no worktree of"):
        repository.get_status(tmp_path, "main")


def test_commits_all_but_ignored_files(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    (plan.path / ".gitignore").write_text("*.log\n", encoding="utf-8")
    (plan.path / "x.log").write_text("x", encoding="utf-8")
    (plan.path / "README.md").unlink()
    (plan.path / "-n").write_text("a file named like an option", encoding="utf-8")

    sha = repository.commit_all(plan.path, "feat: one thing\n\n# not a comment\n")

    assert sha == git(plan.path, "rev-parse", "HEAD")
    assert git(plan.path, "show", "--no-renames", "--name-status", "--format=%B", "HEAD").split("\n") == [
        "feat: one thing", "", "# not a comment", "", "", "A\t-n", "A\t.gitignore", "D\tREADME.md",
    ]  # fmt: skip
    assert repository.get_status(plan.path, plan.base_sha).clean
    assert (plan.path / "x.log").exists()


def test_nothing_to_commit(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    assert repository.commit_all(plan.path, "nothing") is None
    assert git(plan.path, "rev-parse", "HEAD") == plan.base_sha


def test_no_hook_runs_and_no_upstream_program(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    hook = repository.common_dir / "hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    (plan.path / "new.txt").write_text("x", encoding="utf-8")

    assert repository.commit_all(plan.path, "x") is not None


def test_a_fresh_index_lock_is_a_transient_error_and_an_old_one_none(
    repository: GitPythonRepository, plan: WorktreePlan
) -> None:
    lock = repository.common_dir / "worktrees" / plan.path.name / "index.lock"
    lock.write_text("", encoding="utf-8")
    (plan.path / "new.txt").write_text("x", encoding="utf-8")

    with pytest.raises(GitCommandError) as caught:
        repository.commit_all(plan.path, "x")
    assert caught.value.transient
    assert lock.exists()
    an_hour_ago = time.time() - 3600
    os.utime(lock, (an_hour_ago, an_hour_ago))

    assert repository.commit_all(plan.path, "x") is not None


@pytest.mark.parametrize("configured", [True, False])
def test_who_commits(
    make_repository: Callable[..., Path],
    make_plan: MakePlan,
    git: Git,
    monkeypatch: pytest.MonkeyPatch,
    *,
    configured: bool,
) -> None:
    path = make_repository()
    if configured:
        git(path, "config", "user.name", "A. User")
        git(path, "config", "user.email", "user@host.invalid")
    repository = open_repository(path)
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    (plan.path / "new.txt").write_text("x", encoding="utf-8")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{name}_NAME")
        monkeypatch.delenv(f"GIT_{name}_EMAIL")

    assert repository.commit_all(plan.path, "x") is not None

    expected = "A. User <user@host.invalid>" if configured else f"{NEUTRAL_NAME} <{NEUTRAL_EMAIL}>"
    assert git(plan.path, "log", "-1", "--format=%an <%ae>%n%cn <%ce>").split("\n") == [expected] * 2


def test_branch_work(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    (plan.path / "README.md").write_text("a\nb\nc\n", encoding="utf-8")
    first = repository.commit_all(plan.path, "feat: first")
    (plan.path / "src/one.txt").unlink()
    (plan.path / "ü.bin").write_bytes(bytes(range(256)))
    second = repository.commit_all(plan.path, "fix: second ünïcode")

    work = repository.get_branch_work(plan.branch, plan.base_sha)

    assert first is not None
    assert second is not None
    assert work.head_sha == second
    assert work.commits == (Commit(first, "feat: first"), Commit(second, "fix: second ünïcode"))
    assert (work.files_changed, work.insertions, work.deletions) == (3, 3, 2)
    assert "README.md" in work.diff_stat
    assert "ü.bin" in work.diff_stat


def test_branch_work_leaves_out_what_the_base_did_meanwhile(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    (plan.path / "new.txt").write_text("x\n", encoding="utf-8")
    repository.commit_all(plan.path, "ours")
    (repository.path / "README.md").write_text("main went on\n", encoding="utf-8")
    git(repository.path, "commit", "--quiet", "--all", "--message", "theirs")

    work = repository.get_branch_work(plan.branch, git(repository.path, "rev-parse", "main"))

    assert [commit.subject for commit in work.commits] == ["ours"]
    assert (work.files_changed, work.insertions, work.deletions) == (1, 1, 0)


def test_a_branch_without_work(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    assert repository.get_branch_work(plan.branch, plan.base_sha) == BranchWork(plan.base_sha, (), 0, 0, 0, "")
    with pytest.raises(UsageError, match="has no branch nothing"):
        repository.get_branch_work("nothing", plan.base_sha)


def test_base_file(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    (plan.path / "README.md").write_text("what a worker made of it", encoding="utf-8")
    repository.commit_all(plan.path, "x")

    assert repository.read_base_file(plan.base_sha, "README.md") == "# a project\n"
    assert repository.read_base_file(plan.base_sha, "nothing.yml") is None
    assert repository.read_base_file(plan.base_sha, "src") is None
    with pytest.raises(GitCommandError):
        repository.read_base_file("1" * 40, "README.md")
