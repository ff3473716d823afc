"""Locks of a git that was killed do not stand in the way of the worker that is taken up again; a live git's stay."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from parallel_workers.adapters.git.layout import branch_ref
from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.worktrees import WorktreePlan
from tests.git.conftest import MakePlan


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree that exists."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


def lock_of(repository: GitPythonRepository, plan: WorktreePlan, name: str) -> Path:
    if name == "branch":
        return repository.common_dir / f"{branch_ref(plan.branch)}.lock"
    return repository.common_dir / "worktrees" / plan.path.name / name


@pytest.mark.parametrize("name", ["index.lock", "HEAD.lock", "branch"])
def test_after_the_take_over_work_can_be_committed(
    repository: GitPythonRepository, plan: WorktreePlan, name: str
) -> None:
    (plan.path / "left.txt").write_text("not committed when it was killed", encoding="utf-8")
    lock_of(repository, plan, name).touch()
    repository.ensure_worktree(plan)
    assert repository.commit_all(plan.path, "work") is not None


def test_a_git_that_lives_is_waited_for(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    lock = lock_of(repository, plan, "index.lock")
    lock.touch()
    ended = threading.Event()

    def work_under_it() -> None:
        for _ in range(8):
            time.sleep(0.2)
            with lock.open("a") as file:  # fails if it was removed and made anew by nobody
                file.write("x")
        assert lock.stat().st_size == 8
        ended.set()
        lock.unlink()

    thread = threading.Thread(target=work_under_it)
    thread.start()
    repository.ensure_worktree(plan)
    assert ended.is_set()
    thread.join()
