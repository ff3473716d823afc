"""The one place where worktrees and workers' branches are removed: looked at, decided, saved, and only then deleted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import assert_never

from loguru import logger

from parallel_workers.adapters.git.bases import fetch_base
from parallel_workers.adapters.git.content_in_base import is_content_in_base
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
from parallel_workers.adapters.git.layout import (
    LinkedWorktree,
    branch_ref,
    find_linked,
    linked_worktrees,
    read_head,
    read_ref,
)
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.remotes import delete_remote_branch, pushed_ref
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.adapters.git.rescue import save_commits, save_work
from parallel_workers.crash_points import reach
from parallel_workers.decisions.removal import Care, Obstacle, Refuse, Remove, SaveThenRemove, decide_removal
from parallel_workers.errors import (
    BaseBranchError,
    GitCommandError,
    ParallelWorkersError,
    UnsavedWorkError,
    UsageError,
    WorktreeConflictError,
)
from parallel_workers.identity import worker_ref
from parallel_workers.rescues import way_back
from parallel_workers.worktree_contents import WorktreeContents
from parallel_workers.worktrees import ForgottenWorktree, WorktreePlan

_ERRORS: dict[Obstacle, type[ParallelWorkersError]] = {
    Obstacle.NOT_OURS: WorktreeConflictError,
    Obstacle.OWN_REPOSITORY: UnsavedWorkError,
    Obstacle.LOCKED: WorktreeConflictError,
    Obstacle.UNSAVED_WORK: UnsavedWorkError,
}


def remove_worktree(opened: OpenedRepository, worktree: Path, *, force: bool, worker: str | None = None) -> str | None:
    """Remove one linked worktree; the rescue ref its work was saved to, if there was any. Its branch stays.

    With `worker`, only while it is that worker's: another may have been given the same place since.

    Raises:
        UnsavedWorkError: it holds work and `force` is False; or work that cannot be saved.
        WorktreeConflictError: it is locked and `force` is False; or not that worktree, or another worker's.
        UsageError: it is the main checkout, or no worktree of this repository.
    """
    linked = _find_removable(opened, worktree)
    return _remove(opened, linked, Care.SAVE_WORK if force else Care.KEEP_WORK, worker)


def forget_worktree(opened: OpenedRepository, linked: LinkedWorktree) -> None:
    """Remove what is left of a worktree whose folder is gone or empty. Raises as `remove_worktree`, forced."""
    rescue_ref = _remove(opened, linked, Care.SAVE_WORK)
    if rescue_ref:
        logger.warning("{}: {}", linked.path, way_back(rescue_ref, opened.path, linked.path))


def remove_worker(
    opened: OpenedRepository, lock: RepositoryLock, plan: WorktreePlan, head_sha: str, *, was_pushed: bool
) -> str | None:
    """Remove all that a merged worker leaves; the rescue ref, if it left something that is not in the base.

    The worktree goes; the branch goes, on the remote where it is still at `head_sha`, and here where nothing is on it
    that `head_sha` has not. `was_pushed`: it was, even if this machine knows nothing of it. Again is harmless.
    """
    rescued = _remove_workers_worktree(opened, plan)
    reach("removal.worktree-removed")
    going = _is_going(opened, plan, head_sha)
    if going and not _is_merged(opened, lock, plan, head_sha):
        rescued = (*rescued, save_commits(opened, plan.worker, plan.branch, head_sha))
    for ref in rescued:
        logger.warning("{}: {}", plan.worker, way_back(ref, opened.path, plan.path))
    # before the refs: while the pushed ref is there, a second run knows that the remote has to be asked
    if was_pushed or read_ref(opened.common_dir, pushed_ref(plan.branch)) is not None:
        delete_remote_branch(opened, plan.branch, head_sha)
    reach("removal.remote-branch-deleted")
    _delete_refs(opened, plan, head_sha)
    return rescued[0] if rescued else None


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
        return ForgottenWorktree(entry.path, _remove(opened, entry, Care.SAVE_WORK))
    except ParallelWorkersError as error:
        logger.warning("{} is not forgotten: {}", entry.path, error)
        return None


def _find_removable(opened: OpenedRepository, worktree: Path) -> LinkedWorktree:
    if worktree.is_symlink():
        raise UsageError(f"{worktree} is a symbolic link; name the worktree itself: {worktree.resolve()}")
    linked = find_linked(opened.common_dir, worktree)
    if linked is None:
        location = opened.locate(worktree)
        raise UsageError(f"{location.path} is the main checkout; only linked worktrees can be removed")
    return linked


def _remove(opened: OpenedRepository, linked: LinkedWorktree, care: Care, worker: str | None = None) -> str | None:
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
    if not begun.looked_at:
        if not begun.aside.is_dir():
            return _remove_record(opened, linked, care) or begun.rescue_ref
        try:
            rescue_ref = _look_and_save(opened, linked, begun.aside, care)
        except BaseException:
            move_back(linked, begun)
            raise
        if begun.rescue_ref and rescue_ref not in {None, begun.rescue_ref}:
            # it has what the second look may not have found any more
            logger.warning("{}: {}", linked.path, way_back(begun.rescue_ref, opened.path, linked.path))
        begun = BegunDeletion(begun.aside, rescue_ref or begun.rescue_ref, looked_at=True)
        note_deletion(linked, begun)
    reach("removal.looked-again")
    finish_deletion(linked, begun)
    return begun.rescue_ref


def _look_and_save(opened: OpenedRepository, linked: LinkedWorktree, folder: Path | None, care: Care) -> str | None:
    """The rescue ref of all that is found in `folder`; None when everything in it is committed.

    Raises:
        UnsavedWorkError, WorktreeConflictError, GitCommandError: it must not be removed, or could not be saved.
    """
    try:
        found = inspect_worktree(opened, linked, folder)
        decision = _decide(found.contents, care)
        match decision:
            case Remove():
                return None
            case SaveThenRemove(what=what):
                return save_work(opened, found, what)
            case _:
                assert_never(decision)
    except OSError as error:
        raise UnsavedWorkError(
            f"{linked.path} is not removed, because what is in it could not be saved: {error}. "
            "Make room, or make it readable, and remove it again"
        ) from error


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


def _remove_workers_worktree(opened: OpenedRepository, plan: WorktreePlan) -> tuple[str, ...]:
    linked = find_linked(opened.common_dir, plan.path)
    if linked is not None and linked.worker != plan.worker:
        logger.warning("the worktree at {} was not made for {}, and is kept", plan.path, plan.worker)
        linked = None
    if linked is None:
        return ()
    try:
        rescue_ref = _remove(opened, linked, Care.SAVE_WORK)
    except (ParallelWorkersError, OSError) as kept:
        # the work is merged: what is left over is kept and named, and is no failure of the worker
        logger.warning("{}", kept)
        return ()
    return (rescue_ref,) if rescue_ref else ()


def _is_going(opened: OpenedRepository, plan: WorktreePlan, head_sha: str) -> bool:
    """Whether the branch will be deleted: what was merged has all of it, and nobody has it checked out."""
    branch_sha = read_ref(opened.common_dir, branch_ref(plan.branch))
    return branch_sha is not None and _is_in(opened, branch_sha, head_sha) and not _is_checked_out(opened, plan.branch)


def _is_merged(opened: OpenedRepository, lock: RepositoryLock, plan: WorktreePlan, head_sha: str) -> bool:
    """Whether the base has all of it by content; it is fetched when what is here has not."""
    tracking = f"refs/remotes/{opened.remote.name}/{plan.base_branch}" if opened.remote else ""
    refs = (ref for ref in (branch_ref(plan.base_branch), tracking) if ref)
    bases = dict.fromkeys(sha for ref in refs if (sha := read_ref(opened.common_dir, ref)) is not None)
    if any(is_content_in_base(opened, base, head_sha, plan.base_sha) for base in bases):
        return True
    if opened.remote is None:
        return False
    try:
        base = fetch_base(opened, lock, plan.base_branch)
    except (BaseBranchError, GitCommandError) as error:
        logger.debug("{} was not fetched: {}", plan.base_branch, error)
        return False
    return base not in bases and is_content_in_base(opened, base, head_sha, plan.base_sha)


def _delete_refs(opened: OpenedRepository, plan: WorktreePlan, head_sha: str) -> None:
    """Branch, mark and push record in one transaction."""
    lines = []
    branch_sha = read_ref(opened.common_dir, branch_ref(plan.branch))
    if branch_sha and _is_going(opened, plan, head_sha):
        lines.append(f"delete {branch_ref(plan.branch)} {branch_sha}\n")
    elif branch_sha is not None:
        logger.warning(
            "branch {} is kept: it is at {}, or checked out, and not only at {}", plan.branch, branch_sha, head_sha
        )
    marks = (worker_ref(plan.worker), pushed_ref(plan.branch))
    lines.extend(f"delete {ref}\n" for ref in marks if read_ref(opened.common_dir, ref) is not None)
    if lines:
        opened.git("update-ref", "--stdin", stdin="".join(lines))
    reach("removal.refs-deleted")


def _is_in(opened: OpenedRepository, sha: str, head_sha: str) -> bool:
    """Whether `head_sha` has all of `sha`: a reviewer may have added to what was pushed. One not here has nothing."""
    return sha == head_sha or opened.ask("merge-base", "--is-ancestor", sha, head_sha).code == 0


def _is_checked_out(opened: OpenedRepository, branch: str) -> bool:
    if not opened.bare and read_head(opened.common_dir) == branch:
        return True
    return any(entry.branch == branch for entry in linked_worktrees(opened.common_dir))
