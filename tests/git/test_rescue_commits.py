"""Commits that go with a worktree or a branch: those that nothing else keeps are saved, and no others."""

from __future__ import annotations

import re
from pathlib import Path

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


def _write(git: Git, worktree: Path, name: str, text: str, message: str) -> str:
    (worktree / name).write_text(text, encoding="utf-8")
    git(worktree, "add", "--all")
    git(worktree, "commit", "--quiet", "--message", message)
    return git(worktree, "rev-parse", "HEAD")


@pytest.fixture
def moved_on(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> WorktreePlan:
    """Three commits on the worker's branch; the base went on since, in a file that the second one changes, too."""
    _write(git, plan.path, "one.txt", "1", "one")
    _write(git, plan.path, "README.md", "mine", "two")
    _write(git, plan.path, "three.txt", "3", "three")
    _write(git, repository.path, "README.md", "theirs", "the base went on")
    return plan


def _rebase(git: Git, worktree: Path, *options: str, todo: str = "", stops: bool = False) -> None:
    """With `todo` a sed script changes the list of what to do; with `stops` it does not come to its end."""
    editor = f"sequence.editor=sed -i -e '{todo}'"
    interactive = ("--interactive",) if todo else ()
    arguments = ("-c", editor, "-c", "core.editor=true", "rebase", *interactive, *options)
    if stops:
        with pytest.raises(AssertionError, match="git -c"):
            git(worktree, *arguments)
    else:
        git(worktree, *arguments)


@pytest.mark.parametrize("todo", ["", "2s/pick/fixup/", "1s/pick/reword/", "1s/pick/edit/"])
def test_the_copies_of_a_rebase_that_is_given_up_are_not_work(
    repository: GitPythonRepository, moved_on: WorktreePlan, git: Git, todo: str
) -> None:
    head = git(moved_on.path, "rev-parse", "HEAD")
    # "edit" stops without an error
    _rebase(git, moved_on.path, "main", todo=todo, stops="edit" not in todo)
    git(moved_on.path, "reset", "--hard")
    git(moved_on.path, "rebase", "--abort")
    assert git(moved_on.path, "rev-parse", "HEAD") == head

    assert repository.remove_worktree(moved_on.path) is None
    assert repository.list_rescues() == ()


@pytest.mark.parametrize("by", ["rebase", "pull"])
def test_the_copies_of_a_rebase_that_came_to_its_end_are_not_work(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, by: str
) -> None:
    for number, message in enumerate(("one", "two", "fixup! one", "squash! one", "fixup! two")):
        _write(git, plan.path, f"{number}.txt", message, message)
    _write(git, repository.path, "other.txt", "theirs", "the base went on")
    if by == "pull":
        settings = ("-c", "rebase.autoSquash=true", "-c", "sequence.editor=true", "-c", "core.editor=true")
        git(plan.path, *settings, "pull", "--quiet", "--rebase=interactive", ".", "main")
    else:
        _rebase(git, plan.path, "--autosquash", "main", todo="b")
    told = git(plan.path, "reflog", "--format=%gs")
    assert re.search(rf"^{by}\b.* \(fixup\): ", told, re.MULTILINE), told

    assert repository.remove_worktree(plan.path) is None


@pytest.mark.parametrize("how", ["commit", "amend", "continue"])
def test_what_was_added_by_hand_to_a_rebase_that_is_given_up(
    repository: GitPythonRepository, moved_on: WorktreePlan, git: Git, how: str
) -> None:
    _rebase(git, moved_on.path, "main", todo="2a break", stops=True)
    (moved_on.path / "README.md").write_text("both", encoding="utf-8")
    git(moved_on.path, "add", "--all")
    if how == "continue":
        git(moved_on.path, "-c", "core.editor=true", "rebase", "--continue")
    else:
        amend = ("--amend",) if how == "amend" else ()
        git(moved_on.path, "commit", "--quiet", *amend, "--message", "both")
    added = git(moved_on.path, "rev-parse", "HEAD")
    git(moved_on.path, "rebase", "--abort")

    _expect_saved(repository, moved_on, git, {added}, "both")


def test_commits_made_on_a_detached_head_that_a_rebase_replaced(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    """They count, and so does what HEAD rested at: no branch has either."""
    git(plan.path, "switch", "--quiet", "--detach")
    _write(git, plan.path, "one.txt", "1", "one")
    made = _write(git, plan.path, "README.md", "both", "two")
    _write(git, repository.path, "other.txt", "theirs", "the base went on")
    _rebase(git, plan.path, "main")
    copied = git(plan.path, "rev-parse", "HEAD")
    git(plan.path, "switch", "--quiet", plan.branch)

    _expect_saved(repository, plan, git, {made, copied}, "both")


def _expect_saved(repository: GitPythonRepository, plan: WorktreePlan, git: Git, shas: set[str], readme: str) -> None:
    ref = repository.remove_worktree(plan.path)
    git(repository.path, "gc", "--quiet", "--prune=now")
    assert {one.sha for one in repository.find_rescue(str(ref)).own_refs} == shas
    assert {git(repository.path, "show", f"{sha}:README.md") for sha in shas} == {readme}


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
