"""The one place where worktrees are removed: looked at, decided, saved, and only then deleted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, assert_never

from loguru import logger

from parallel_workers.adapters.git.deletion import (
    BegunDeletion,
    delete_record,
    find_begun,
    finish_deletion,
    move_aside,
    move_back,
    note_deletion,
    removal_lock,
    sweep_records,
)
from parallel_workers.adapters.git.inspection import inspect_worktree
from parallel_workers.adapters.git.late_files import find_late
from parallel_workers.adapters.git.layout import LinkedWorktree, find_linked, linked_worktrees
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.adapters.git.rescue import save_work
from parallel_workers.adapters.git.saving import saved_or_kept
from parallel_workers.adapters.git.seen_files import SeenFiles, moment_of
from parallel_workers.crash_points import reach
from parallel_workers.decisions.removal import (
    Care,
    Obstacle,
    Refuse,
    Remove,
    SaveThenRemove,
    decide_removal,
    describe_contents,
)
from parallel_workers.errors import (
    ParallelWorkersError,
    UnsavedWorkError,
    UsageError,
    WorktreeConflictError,
)
from parallel_workers.rescues import way_back
from parallel_workers.worktree_contents import WorktreeContents
from parallel_workers.worktrees import ForgottenWorktree

_ERRORS: dict[Obstacle, type[ParallelWorkersError]] = {
    Obstacle.NOT_OURS: WorktreeConflictError,
    Obstacle.OWN_REPOSITORY: UnsavedWorkError,
    Obstacle.MOUNTED: WorktreeConflictError,
    Obstacle.LOCKED: WorktreeConflictError,
    Obstacle.UNSAVED_WORK: UnsavedWorkError,
}


def remove_worktree(opened: OpenedRepository, worktree: Path, *, force: bool, worker: str | None = None) -> str | None:
    """Remove one linked worktree; the rescue ref its work was saved to, if there was any. Its branch stays.

    With `worker`, only while it is that worker's: another may have been given the same place since.

    Raises:
        UnsavedWorkError: it holds work and `force` is False; or work that cannot be saved.
        WorktreeConflictError: it is locked and `force` is False; something is mounted in it; it is not that worktree,
            or another worker's.
        UsageError: it is the main checkout, or no worktree of this repository.
    """
    linked = _find_removable(opened, worktree)
    return remove_linked(opened, linked, Care.SAVE_WORK if force else Care.KEEP_WORK, worker)


def forget_worktree(opened: OpenedRepository, linked: LinkedWorktree) -> None:
    """Remove what is left of a worktree whose folder is gone or empty. Raises as `remove_worktree`, forced."""
    rescue_ref = remove_linked(opened, linked, Care.SAVE_WORK)
    if rescue_ref:
        logger.warning("{}: {}", linked.path, way_back(rescue_ref, opened.path, linked.path))


def prune(opened: OpenedRepository, lock: RepositoryLock) -> tuple[ForgottenWorktree, ...]:
    """Forget linked worktrees whose folder is gone, unless locked. What git still knows of them is saved first."""
    with lock.hold():
        sweep_records(opened.common_dir)
        gone = [
            entry
            for entry in linked_worktrees(opened.common_dir)
            if find_begun(entry) or (not entry.path.exists() and (entry.lock_reason is None or entry.half_made))
        ]
        forgotten = (_forget(opened, entry) for entry in gone)
        return tuple(one for one in forgotten if one is not None)


def _forget(opened: OpenedRepository, entry: LinkedWorktree) -> ForgottenWorktree | None:
    try:
        # not `git worktree prune`: that also forgets folders which only lost their .git file
        return ForgottenWorktree(entry.path, remove_linked(opened, entry, Care.SAVE_WORK))
    except ParallelWorkersError as error:
        logger.warning("{} is not forgotten: {}", entry.path, error)
        return None


def remove_linked(
    opened: OpenedRepository, linked: LinkedWorktree, care: Care, worker: str | None = None
) -> str | None:
    """As `remove_worktree`, for an entry that is at hand."""
    with removal_lock(linked) as registered:
        if not registered:
            return None
        # none is noted on one whose making was cut off, or that somebody made by hand at this place
        if worker is not None and linked.worker not in {None, worker}:
            raise WorktreeConflictError(f"{linked.path} is kept: it is the worktree of {linked.worker} by now")
        begun = find_begun(linked)
        if begun is not None:
            return _finish(opened, linked, begun, care)
        if _is_gone(linked):
            return _remove_record(opened, linked, care)
        not_ours = _why_not_ours(linked)
        if not_ours:
            _decide(WorktreeContents(linked.path, not_ours=not_ours), care)
        rescue_ref = _look_and_save(opened, linked, linked.path, care)
        reach("removal.saved")
        return _finish(opened, linked, move_aside(linked, rescue_ref), care)


def _find_removable(opened: OpenedRepository, worktree: Path) -> LinkedWorktree:
    if worktree.is_symlink():
        raise UsageError(f"{worktree} is a symbolic link; name the worktree itself: {worktree.resolve()}")
    linked = find_linked(opened.common_dir, worktree)
    if linked is None:
        location = opened.locate(worktree)
        raise UsageError(f"{location.path} is the main checkout; only linked worktrees can be removed")
    return linked


def _is_gone(linked: LinkedWorktree) -> bool:
    """Whether there is no folder, or an empty one; an interrupted `git worktree add` may leave a lone .git file."""
    if linked.path.is_symlink() or not linked.path.is_dir():
        return not os.path.lexists(linked.path)
    names = {entry.name for entry in linked.path.iterdir()}
    return not names or (names == {".git"} and linked.half_made)


def _remove_record(opened: OpenedRepository, linked: LinkedWorktree, care: Care) -> str | None:
    """Only git's record is left; it may hold the only copy of what was staged, or of commits on no branch."""
    rescue_ref = None
    if linked.checked_out or not linked.half_made:
        rescue_ref = _look_and_save(opened, linked, None, care)
    reach("removal.saved")
    if linked.path.is_dir():
        (linked.path / ".git").unlink(missing_ok=True)
        linked.path.rmdir()  # fails, rather than deletes, should a file have appeared
    delete_record(linked)
    return rescue_ref


def _finish(opened: OpenedRepository, linked: LinkedWorktree, begun: BegunDeletion, care: Care) -> str | None:
    """Look once more, now that nobody finds the folder any more: what was written since the first look is saved too."""
    if begun.looked_at:
        return _go_on(opened, linked, begun)
    if not begun.aside.is_dir():
        return _remove_record(opened, linked, care) or begun.rescue_ref
    try:
        looked_at = moment_of(begun.aside)
        seen = SeenFiles(begun.aside)
        rescue_ref = _look_and_save(opened, linked, begun.aside, care)
    except BaseException:
        move_back(linked, begun)
        raise
    return _delete(opened, linked, begun, _Looked(looked_at, seen, rescue_ref))


def _go_on(opened: OpenedRepository, linked: LinkedWorktree, begun: BegunDeletion) -> str | None:
    """Delete the rest of a folder of which some may be gone: what was written to it since the last look is saved."""
    if not begun.aside.is_dir():
        delete_record(linked)
        return begun.rescue_ref
    with saved_or_kept(f"The rest of {linked.path} in {begun.aside}"):
        looked_at = moment_of(begun.aside)
        seen = SeenFiles(begun.aside)
        late = find_late(opened, linked, begun)
        rescue_ref = save_work(opened, late, describe_contents(late.contents)) if late else None
    return _delete(opened, linked, begun, _Looked(looked_at, seen, rescue_ref))


class _Looked(NamedTuple):
    """When a look at a folder that is moved aside began, what was in it, and where it was saved."""

    at: int
    seen: SeenFiles
    rescue_ref: str | None


def _delete(opened: OpenedRepository, linked: LinkedWorktree, begun: BegunDeletion, looked: _Looked) -> str | None:
    if begun.rescue_ref and looked.rescue_ref not in {None, begun.rescue_ref}:
        # it has what the last look may not have found any more
        logger.warning("{}: {}", linked.path, way_back(begun.rescue_ref, opened.path, linked.path))
    folders = frozenset(looked.seen.folders)
    begun = BegunDeletion(begun.aside, looked.rescue_ref or begun.rescue_ref, looked.at, folders)
    with saved_or_kept(f"The rest of {linked.path} in {begun.aside}"):
        note_deletion(linked, begun)
    reach("removal.looked-again")
    finish_deletion(linked, begun, looked.seen)
    return begun.rescue_ref


def _look_and_save(opened: OpenedRepository, linked: LinkedWorktree, folder: Path | None, care: Care) -> str | None:
    """The rescue ref of all that is found in `folder`; None when everything in it is committed.

    Raises:
        UnsavedWorkError, WorktreeConflictError, GitCommandError: it must not be removed, or could not be saved.
    """
    with saved_or_kept(str(linked.path)):
        found = inspect_worktree(opened, linked, folder)
        decision = _decide(found.contents, care)
        match decision:
            case Remove():
                return None
            case SaveThenRemove(what=what):
                return save_work(opened, found, what)
            case _:
                assert_never(decision)


def _decide(contents: WorktreeContents, care: Care) -> Remove | SaveThenRemove:
    decision = decide_removal(contents, care)
    if isinstance(decision, Refuse):
        raise _ERRORS[decision.obstacle](decision.reason)
    return decision


def _why_not_ours(linked: LinkedWorktree) -> str:
    """Why the folder at a registered path is not that worktree, in words; '' when it is."""
    path, pointer = linked.path, linked.path / ".git"
    if path.is_symlink():
        return "is a symbolic link now"
    if not path.is_dir():
        return "is no folder any more"
    if linked.is_pointed_to:
        return ""
    if pointer.is_dir():
        return "is another repository now"
    if not pointer.exists():
        return "has no .git file that leads back to its repository"
    return "has a .git file that leads to another repository"
