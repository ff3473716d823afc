"""Pushing: to the URL of the beginning, again without harm, and never over somebody else's commits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git.remotes import pushed_ref
from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.errors import ForgeError, GitCommandError, UsageError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """The bare repository that is `origin`."""
    return tmp_path / "repo.git"


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree with one commit."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    work(repository, plan, "one")
    return plan


def work(repository: GitPythonRepository, plan: WorktreePlan, text: str) -> str:
    """One more commit on the worker's branch; its sha."""
    (plan.path / "work.txt").write_text(text, encoding="utf-8")
    sha = repository.commit_all(plan.path, text)
    assert sha is not None
    return sha


def test_pushes_and_pushes_again(repository: GitPythonRepository, plan: WorktreePlan, remote: Path, git: Git) -> None:
    first = repository.push_branch(plan.branch)
    assert repository.push_branch(plan.branch) == first == git(remote, "rev-parse", plan.branch)
    second = work(repository, plan, "two")
    assert repository.push_branch(plan.branch) == second == git(remote, "rev-parse", plan.branch)
    assert git(repository.path, "rev-parse", pushed_ref(plan.branch)) == second
    assert git(remote, "for-each-ref", "--format=%(refname)").split() == [
        f"refs/heads/{plan.branch}",
        "refs/heads/main",
    ]


def test_rewritten_work_of_our_own_is_pushed(
    repository: GitPythonRepository, plan: WorktreePlan, remote: Path, git: Git
) -> None:
    """The agent amended or rebased what was pushed before."""
    repository.push_branch(plan.branch)
    git(plan.path, "commit", "--quiet", "--amend", "--message", "better said")

    assert repository.push_branch(plan.branch) == git(remote, "rev-parse", plan.branch)
    assert git(remote, "log", "-1", "--format=%s", plan.branch) == "better said"


def somebody_pushes(plan: WorktreePlan, remote: Path, tmp_path: Path, git: Git) -> str:
    """A reviewer adds a commit to the worker's branch on the remote; its sha."""
    git(tmp_path, "clone", "--quiet", str(remote), "reviewer")
    reviewer = tmp_path / "reviewer"
    git(reviewer, "switch", "--quiet", "--create", plan.branch, "--no-track", f"origin/{plan.branch}")
    git(reviewer, "commit", "--quiet", "--allow-empty", "--message", "theirs")
    git(reviewer, "push", "--quiet", "origin", plan.branch)
    return git(reviewer, "rev-parse", "HEAD")


def test_somebody_elses_commits_are_never_overwritten(
    repository: GitPythonRepository, plan: WorktreePlan, remote: Path, tmp_path: Path, git: Git
) -> None:
    repository.push_branch(plan.branch)
    theirs = somebody_pushes(plan, remote, tmp_path, git)
    work(repository, plan, "two")

    with pytest.raises(ForgeError, match="somebody else pushed there, and nothing was overwritten") as caught:
        repository.push_branch(plan.branch)

    assert not caught.value.transient
    assert git(remote, "rev-parse", plan.branch) == theirs


def test_a_branch_the_remote_had_before_us_is_not_overwritten(
    repository: GitPythonRepository, make_plan: MakePlan, remote: Path, tmp_path: Path, git: Git
) -> None:
    plan = make_plan(repository)
    git(remote, "branch", plan.branch, "main")
    theirs = somebody_pushes(plan, remote, tmp_path, git)
    repository.ensure_worktree(plan)
    work(repository, plan, "one")

    with pytest.raises(ForgeError, match=f"commits on {plan.branch} that are not ours"):
        repository.push_branch(plan.branch)
    assert git(remote, "rev-parse", plan.branch) == theirs


def test_their_commits_once_merged_in_are_pushed(
    repository: GitPythonRepository, plan: WorktreePlan, remote: Path, tmp_path: Path, git: Git
) -> None:
    repository.push_branch(plan.branch)
    somebody_pushes(plan, remote, tmp_path, git)
    git(plan.path, "fetch", "--quiet", "origin", plan.branch)
    git(plan.path, "merge", "--quiet", "FETCH_HEAD")
    sha = work(repository, plan, "two")

    assert repository.push_branch(plan.branch) == sha == git(remote, "rev-parse", plan.branch)


@pytest.mark.parametrize("went_on", [True, False])
def test_a_push_whose_record_was_lost_is_harmless(
    repository: GitPythonRepository, plan: WorktreePlan, remote: Path, git: Git, *, went_on: bool
) -> None:
    """Killed between the push and its record."""
    sha = repository.push_branch(plan.branch)
    git(repository.path, "update-ref", "-d", pushed_ref(plan.branch))
    if went_on:
        sha = work(repository, plan, "two")

    assert repository.push_branch(plan.branch) == sha == git(remote, "rev-parse", plan.branch)
    assert git(repository.path, "rev-parse", pushed_ref(plan.branch)) == sha


def test_a_branch_deleted_on_the_remote_is_pushed_anew(
    repository: GitPythonRepository, plan: WorktreePlan, remote: Path, git: Git
) -> None:
    repository.push_branch(plan.branch)
    git(remote, "branch", "-D", plan.branch)

    assert repository.push_branch(plan.branch) == git(remote, "rev-parse", plan.branch)


def test_goes_where_the_remote_was_when_opened(
    repository: GitPythonRepository, plan: WorktreePlan, remote: Path, tmp_path: Path, git: Git
) -> None:
    """An agent sends the branch elsewhere: by the remote's URL, its push URL, or a remote of our name."""
    git(tmp_path, "init", "--quiet", "--bare", "evil.git")
    git(plan.path, "remote", "set-url", "origin", str(tmp_path / "evil.git"))
    git(plan.path, "config", "remote.origin.pushurl", str(tmp_path / "evil.git"))
    git(plan.path, "config", "remote.pushDefault", "evil")

    repository.push_branch(plan.branch)

    assert git(remote, "rev-parse", plan.branch)
    assert git(tmp_path / "evil.git", "for-each-ref") == ""
    assert repository.fetch_base("main") == git(remote, "rev-parse", "main")


def test_a_refusal_of_the_remote_is_told(
    repository: GitPythonRepository, plan: WorktreePlan, remote: Path, git: Git
) -> None:
    hook = remote / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on a Friday >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)

    with pytest.raises(GitCommandError) as caught:
        repository.push_branch(plan.branch)

    assert "not on a Friday" in caught.value.stderr
    assert not caught.value.transient
    assert git(repository.path, "for-each-ref", pushed_ref(plan.branch)) == ""


def test_without_a_remote_the_branch_is_where_it_is(make_repository: Callable[..., Path], make_plan: MakePlan) -> None:
    repository = open_repository(make_repository("alone"))
    plan = make_plan(repository)
    repository.ensure_worktree(plan)

    assert repository.push_branch(plan.branch) == plan.base_sha
    with pytest.raises(UsageError, match="has no branch nothing"):
        repository.push_branch("nothing")
