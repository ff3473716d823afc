"""Shared by the tests on real git: plans, and repositories opened the way the flows open them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers import identity
from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git

MakePlan = Callable[..., WorktreePlan]


@pytest.fixture
def clone(make_repository: Callable[..., Path]) -> Path:
    """A clone on main whose `origin` is a bare repository beside it."""
    return make_repository(bare_remote=True)


@pytest.fixture
def repository(clone: Path) -> GitPythonRepository:
    """The clone, opened."""
    return open_repository(clone)


@pytest.fixture
def make_plan(tmp_path: Path, git: Git) -> MakePlan:
    """`make_plan(repository, task_id, **changes)`: a plan as the flows make it, from the repository's main."""

    def make(repository: GitPythonRepository, task_id: str = "TASK-1", **changes: object) -> WorktreePlan:
        plan = WorktreePlan(
            worker=identity.worker_id(repository.identity, "batch", task_id),
            branch=identity.branch_name(task_id),
            base_branch="main",
            base_sha=git(repository.path, "rev-parse", "main"),
            path=identity.worktree_path(tmp_path / "worktrees", "project", task_id),
        )
        return plan._replace(**changes)  # type: ignore[arg-type]

    return make
