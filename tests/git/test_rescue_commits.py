"""Commits that go with a worktree or a branch: those that nothing else keeps are saved, and no others."""

from __future__ import annotations

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.committing import commit
from tests.git.conftest import MakePlan


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


@pytest.mark.parametrize("name", ["worktree/mine", "bisect/bad", "rewritten/onto"])
def test_commits_that_only_a_ref_of_the_worktree_keeps(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, name: str
) -> None:
    hidden = commit(git, plan.path, "hidden")
    git(plan.path, "tag", "--annotate", "--message", "a tag of it", "passing")
    git(plan.path, "update-ref", f"refs/{name}", "passing")
    git(plan.path, "update-ref", "refs/worktree/kept-elsewhere", plan.base_sha)
    git(plan.path, "tag", "--delete", "passing")
    git(repository.path, "update-ref", "refs/bisect/bad", hidden)  # of the main checkout: it ends with its bisect
    git(plan.path, "reset", "--quiet", "--hard", plan.base_sha)
    with pytest.raises(UnsavedWorkError, match=f"holds unsaved work: commits that only refs/{name} keeps"):
        repository.remove_worktree(plan.path)

    ref = repository.remove_worktree(plan.path, force=True)
    git(repository.path, "update-ref", "-d", "refs/bisect/bad")
    git(repository.path, "gc", "--quiet", "--prune=now")

    found = repository.find_rescue(str(ref))
    assert found.own_refs == ((f"refs/{name}", hidden),)
    assert git(repository.path, "show", f"{hidden}:README.md") == "hidden"
    assert len(repository.list_rescues()) == 1


def test_commits_that_head_left_behind(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(plan.path, "switch", "--quiet", "--detach")
    commit(git, plan.path, "first try")
    first = commit(git, plan.path, "first try, mended")
    git(plan.path, "switch", "--quiet", "--detach", plan.base_sha)
    second = commit(git, plan.path, "second try")
    git(plan.path, "switch", "--quiet", plan.branch)

    ref = repository.remove_worktree(plan.path)
    git(repository.path, "gc", "--quiet", "--prune=now")

    found = repository.find_rescue(str(ref))
    assert found.what == ("2 commits that HEAD left behind",)
    assert {one.sha for one in found.own_refs} == {first, second}
    assert all(one.name.startswith("HEAD@{") for one in found.own_refs)
    assert git(repository.path, "show", f"{first}:README.md") == "first try, mended"
    assert git(repository.path, "show", f"{first}^:README.md") == "first try"


def test_what_an_amend_replaced_is_not_work(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """The branch's reflog has it, as long as there is the branch."""
    commit(git, plan.path, "work")
    git(plan.path, "commit", "--quiet", "--amend", "--message", "the same, better said")
    git(plan.path, "rebase", "--quiet", "--force-rebase", plan.base_sha)
    git(repository.path, "branch", "elsewhere", plan.base_sha)
    git(plan.path, "switch", "--quiet", "elsewhere")
    commit(git, plan.path, "on another branch")

    assert repository.remove_worktree(plan.path) is None


def test_commits_that_the_base_has_not_are_saved_before_the_branch_goes(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    head = commit(git, plan.path, "never merged")

    ref = repository.remove_worker(plan, head)
    git(repository.path, "gc", "--quiet", "--prune=now")

    assert git(repository.path, "branch", "--list", plan.branch) == ""
    assert git(repository.path, "rev-parse", f"{ref}^") == head
    assert repository.find_rescue(str(ref)).what == (f"commits of {plan.branch}",)


@pytest.mark.parametrize("how", ["merge", "squash", "rebase", "squash and reverted"])
def test_commits_that_the_base_has_by_content_are_not(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, how: str
) -> None:
    for name in ("one", "two"):
        (plan.path / f"{name}.txt").write_text(name, encoding="utf-8")
        head = repository.commit_all(plan.path, name)
    (repository.path / "other.txt").write_text("the base went on", encoding="utf-8")
    git(repository.path, "add", "--all")
    git(repository.path, "commit", "--quiet", "--message", "on")
    if how == "merge":
        git(repository.path, "merge", "--quiet", "--no-edit", plan.branch)
    elif how == "rebase":
        git(repository.path, "cherry-pick", f"main..{plan.branch}")
    else:
        git(repository.path, "merge", "--quiet", "--squash", plan.branch)
        git(repository.path, "commit", "--quiet", "--message", "squashed")
    if how == "squash and reverted":
        git(repository.path, "revert", "--no-edit", "HEAD")
    git(repository.path, "push", "--quiet", "origin", "main")

    assert repository.remove_worker(plan, str(head)) is None

    assert git(repository.path, "branch", "--list", plan.branch) == ""
