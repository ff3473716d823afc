"""The disk of the repository is full while something is saved: nothing is removed, and it is said in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git, TellFault
from tests.git.conftest import MakePlan
from tests.git.folders import picture
from tests.prefect.faults import can_mount, fill, resize, small_disk

_SAID = (
    r" is not removed, because what is in it could not be saved: [^/]*: No space left on device\. "
    r"All of it is kept as it is\. Make room"
)


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree with one commit and one file that is not committed."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    (plan.path / "work.txt").write_text("work", encoding="utf-8")
    repository.commit_all(plan.path, "work")
    (plan.path / "late.txt").write_text("late", encoding="utf-8")
    return plan


@pytest.fixture
def full_disk(repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path) -> Iterator[Path]:
    """Where new objects go: no room is on it."""
    if not can_mount(tmp_path / "probe"):
        pytest.skip("a full disk is shown with a small tmpfs, which only root may mount")
    objects = repository.common_dir / "objects"
    objects.rename(objects.with_name("older-objects"))
    with small_disk(objects) as disk:
        (disk / "info").mkdir()
        (disk / "info" / "alternates").write_text(f"{objects.with_name('older-objects')}\n", encoding="utf-8")
        fill(disk)
        yield disk


def test_nothing_is_removed_and_with_room_it_is_saved(
    repository: GitPythonRepository,
    plan: WorktreePlan,
    full_disk: Path,
    tmp_path: Path,
    git: Git,
    tell_fault: TellFault,
) -> None:
    before, head = picture(plan.path), git(repository.path, "rev-parse", plan.branch)

    with pytest.raises(UnsavedWorkError, match=re.escape(str(plan.path)) + _SAID) as refused:
        repository.remove_worktree(plan.path, force=True)
    assert picture(plan.path) == before

    (plan.path / "late.txt").unlink()
    with pytest.raises(UnsavedWorkError, match=f"branch {plan.branch}{_SAID}"):
        repository.remove_worker(plan, head)  # never pushed, so its commits would have to be saved
    assert git(repository.path, "rev-parse", plan.branch) == head

    repository.ensure_worktree(plan)
    (plan.path / "late.txt").write_text("late", encoding="utf-8")
    resize(full_disk, "20m")
    ref = repository.remove_worktree(plan.path, force=True)
    repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")
    assert picture(tmp_path / "back") == before
    tell_fault(
        "disk of the repository is full when a worktree is removed", "kept; with room: saved", str(refused.value)
    )
