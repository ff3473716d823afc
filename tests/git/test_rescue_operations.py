"""Merges, picks, rebases and bisects that were stopped half-way: saved whole, and gone on with where git can."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.committing import commit
from tests.git.conftest import MakePlan
from tests.git.folders import picture


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


def diverge(git: Git, plan: WorktreePlan) -> str:
    """A branch `theirs` that changes the same line as the worker's branch did."""
    git(plan.path, "branch", "theirs")
    commit(git, plan.path, "ours")
    git(plan.path, "switch", "--quiet", "theirs")
    theirs = commit(git, plan.path, "theirs")
    git(plan.path, "switch", "--quiet", plan.branch)
    return theirs


def stop_in(path: Path, *arguments: str) -> None:
    """Run a git that stops half-way."""
    done = subprocess.run(["git", *arguments], cwd=path, capture_output=True, text=True, check=False)
    assert done.returncode != 0, "it was to stop"


def test_a_merge_in_conflict_can_be_ended_after_it_came_back(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    theirs = diverge(git, plan)
    stop_in(plan.path, "merge", "theirs")
    before, stages = picture(plan.path), git(plan.path, "ls-files", "--unmerged")
    with pytest.raises(UnsavedWorkError, match=r"README\.md; a merge that was stopped half-way"):
        repository.remove_worktree(plan.path)

    ref = repository.remove_worktree(plan.path, force=True)
    back = tmp_path / "back"
    repository.restore_rescue(repository.find_rescue(str(ref)), "back", back)

    assert picture(back) == before
    assert git(back, "ls-files", "--unmerged") == stages
    (back / "README.md").write_text("both", encoding="utf-8")
    git(back, "commit", "--quiet", "--all", "--no-edit")
    assert git(back, "rev-parse", "HEAD^2") == theirs


@pytest.mark.parametrize("kind", ["cherry-pick", "revert"])
def test_a_pick_in_conflict(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path, kind: str
) -> None:
    theirs = diverge(git, plan)
    stop_in(plan.path, kind, theirs)
    before, stages = picture(plan.path), git(plan.path, "ls-files", "--unmerged")

    ref = repository.remove_worktree(plan.path, force=True)
    found = repository.find_rescue(str(ref))
    repository.restore_rescue(found, "back", tmp_path / "back")

    assert found.operation is not None
    assert found.operation.name == kind
    assert picture(tmp_path / "back") == before
    assert git(tmp_path / "back", "ls-files", "--unmerged") == stages


@pytest.mark.parametrize("end", ["--continue", "--abort"])
def test_a_rebase_and_all_it_has_stopped(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path, end: str
) -> None:
    theirs = diverge(git, plan)
    (plan.path / "src/one.txt").write_text("stashed by the rebase\n", encoding="utf-8")
    original = git(plan.path, "rev-parse", "HEAD")
    stop_in(plan.path, "rebase", "--autostash", "theirs")
    before = picture(plan.path)
    with pytest.raises(UnsavedWorkError, match=rf"a rebase of {plan.branch} that was stopped half-way"):
        repository.remove_worktree(plan.path)

    ref = repository.remove_worktree(plan.path, force=True)
    git(repository.path, "branch", "-D", plan.branch)
    git(repository.path, "branch", "-D", "theirs")
    for expiring in ("reflog expire --expire=now --all", "gc --quiet --prune=now"):
        git(repository.path, *expiring.split())
    found = repository.find_rescue(str(ref))
    back = tmp_path / "back"
    restored = repository.restore_rescue(found, "back", back)

    assert found.operation is not None
    assert (found.operation.branch, found.operation.original_head) == (plan.branch, original)
    assert git(repository.path, "show", f"{original}:README.md") == "ours"
    kept = git(repository.path, "log", "--format=%s", f"{ref}^2")
    assert "autostash" in kept
    assert len(repository.list_rescues()) == 1
    assert picture(back) == before
    assert restored.under_way == "rebase"
    if end == "--continue":
        (back / "README.md").write_text("both", encoding="utf-8")
        git(back, "add", "README.md")
    git(back, "-c", "core.editor=true", "rebase", end)
    assert git(back, "symbolic-ref", "HEAD") == "refs/heads/back"
    assert git(back, "rev-parse", "HEAD^" if end == "--continue" else "HEAD") == (
        theirs if end == "--continue" else original
    )
    assert git(back, "status", "--porcelain") == "M src/one.txt", "what the rebase had stashed"


def test_a_rebase_that_picks_merges_goes_on_after_it_came_back(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    theirs = diverge(git, plan)
    git(plan.path, "switch", "--quiet", "--create", "side", plan.base_sha)
    git(plan.path, "commit", "--quiet", "--allow-empty", "--message", "side")
    git(plan.path, "switch", "--quiet", plan.branch)
    git(plan.path, "merge", "--quiet", "--no-ff", "--no-edit", "side")
    stop_in(plan.path, "rebase", "--rebase-merges", "--keep-empty", "theirs")

    ref = repository.remove_worktree(plan.path, force=True)
    back = tmp_path / "back"
    repository.restore_rescue(repository.find_rescue(str(ref)), "back", back)
    (back / "README.md").write_text("both", encoding="utf-8")
    git(back, "add", "README.md")
    git(back, "-c", "core.editor=true", "rebase", "--continue")

    assert git(back, "symbolic-ref", "--short", "HEAD") == "back"
    assert git(back, "log", "--merges", "--format=%s") == f"Merge branch 'side' into {plan.branch}"
    assert git(back, "merge-base", "HEAD", theirs) == theirs


def test_a_rebase_that_would_run_commands_is_kept_and_not_begun_again(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    diverge(git, plan)
    stop_in(plan.path, "rebase", "--exec", f"touch {tmp_path}/ran", "theirs")

    ref = repository.remove_worktree(plan.path, force=True)
    restored = repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")

    assert restored.under_way == ""
    assert "exec touch" in git(repository.path, "show", f"{ref}^2:operation/rebase-merge/git-rebase-todo")
    assert git(tmp_path / "back", "symbolic-ref", "--short", "HEAD") == "back"


def test_a_bisect_is_not_thrown_away(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    for number in range(4):
        commit(git, plan.path, str(number))
    git(plan.path, "bisect", "start", "HEAD", plan.base_sha)
    with pytest.raises(UnsavedWorkError, match="a bisect that was stopped"):
        repository.remove_worktree(plan.path)

    ref = repository.remove_worktree(plan.path, force=True)

    log = git(repository.path, "show", f"{ref}^2:operation/BISECT_LOG")
    assert "git bisect start" in log
    assert len(repository.list_rescues()) == 1
