"""An agent that deletes, leaves or renames its branch, or removes its worktree: no commit is lost, and it is said."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.errors import AgentFailedError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    (plan.path / "half.txt").write_text("half", encoding="utf-8")
    repository.commit_all(plan.path, "half")
    return plan


def follow(error: AgentFailedError) -> None:
    """Carry out the first command that the message names, as written."""
    command = str(error).partition(": git ")[2].partition(". ")[0]
    subprocess.run(["sh", "-c", f"git {command}"], check=True, capture_output=True)


def test_a_branch_deleted_from_inside_is_brought_back(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    head = git(plan.path, "rev-parse", "HEAD")
    git(plan.path, "update-ref", "-d", f"refs/heads/{plan.branch}")
    (plan.path / "rest.txt").write_text("rest", encoding="utf-8")

    repository.hold_branch(plan.path, plan.branch)
    repository.commit_all(plan.path, "rest")

    assert git(repository.path, "rev-parse", f"{plan.branch}^") == head


@pytest.mark.parametrize("how", ["removed", "ensured"])
def test_without_a_branch_the_commits_are_known(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, how: str
) -> None:
    head = git(plan.path, "rev-parse", "HEAD")
    git(plan.path, "update-ref", "-d", f"refs/heads/{plan.branch}")

    if how == "removed":
        ref = repository.remove_worktree(plan.path, force=True)
        git(repository.path, "gc", "--quiet", "--prune=now")
        assert head in git(repository.path, "rev-list", str(ref))
    else:
        repository.ensure_worktree(plan)
        assert git(plan.path, "rev-parse", "HEAD") == head


@pytest.mark.parametrize("how", ["branch", "detached", "rename"])
def test_another_branch_is_refused_and_the_way_out_works(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, how: str
) -> None:
    head = git(plan.path, "rev-parse", "HEAD")
    if how == "rename":
        git(plan.path, "branch", "--move", "side")
    else:
        git(plan.path, "switch", "--quiet", *(["--create", "side"] if how == "branch" else ["--detach"]))
        (plan.path / "more.txt").write_text("more", encoding="utf-8")
        git(plan.path, "add", "--all")
        git(plan.path, "commit", "--quiet", "--message", "more")
        head = git(plan.path, "rev-parse", "HEAD")
    (plan.path / "rest.txt").write_text("rest", encoding="utf-8")

    found = "a detached HEAD" if how == "detached" else "side"
    with pytest.raises(AgentFailedError, match=rf"on {found}, not on {plan.branch}\. Nothing was committed") as caught:
        repository.hold_branch(plan.path, plan.branch)
    assert git(plan.path, "status", "--porcelain") == "?? rest.txt"
    follow(caught.value)

    repository.hold_branch(plan.path, plan.branch)
    repository.commit_all(plan.path, "rest")
    assert git(repository.path, "rev-parse", f"{plan.branch}^") == head


def test_a_branch_that_went_another_way_is_merged_by_hand(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    git(plan.path, "switch", "--quiet", "--create", "side", "main")

    with pytest.raises(AgentFailedError, match=rf"switch {plan.branch}, and take what is there.*merge side\."):
        repository.hold_branch(plan.path, plan.branch)


def test_a_stopped_rebase_is_named(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(plan.path, "branch", "theirs", "main")
    (repository.path / "half.txt").write_text("theirs", encoding="utf-8")
    git(repository.path, "add", "--all")
    git(repository.path, "commit", "--quiet", "--message", "theirs")
    subprocess.run(["git", "rebase", "main"], cwd=plan.path, capture_output=True, check=False)

    with pytest.raises(AgentFailedError, match=r"A rebase is under way there; end it: git -C .* rebase --continue"):
        repository.hold_branch(plan.path, plan.branch)


@pytest.mark.parametrize("how", ["worktree remove", "rm -rf"])
def test_a_worktree_its_agent_removed(repository: GitPythonRepository, plan: WorktreePlan, git: Git, how: str) -> None:
    head = git(plan.path, "rev-parse", "HEAD")
    if how == "rm -rf":
        shutil.rmtree(plan.path)
    else:
        git(plan.path, "worktree", "remove", "--force", ".")

    with pytest.raises(AgentFailedError, match=rf"removed its own worktree .* is on {plan.branch}"):
        repository.hold_branch(plan.path, plan.branch)
    repository.ensure_worktree(plan)

    assert git(plan.path, "rev-parse", "HEAD") == head
