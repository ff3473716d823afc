"""Pure: what has to be done so that a worker's branch and worktree exist, from what is there now."""

from __future__ import annotations

from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from parallel_workers.adapters.git.layout import LinkedWorktree
from parallel_workers.errors import WorktreeConflictError
from parallel_workers.worktrees import WorktreePlan


class Folder(Enum):
    """What lies at the worktree's path."""

    ABSENT = auto()
    EMPTY = auto()
    GIT_FILE_ONLY = auto()
    CONTENT = auto()
    NO_FOLDER = auto()


class Situation(NamedTuple):
    """What was found. `recorded_base` is what the worker's own ref points at: without it nothing here is ours."""

    recorded_base: str | None
    branch_sha: str | None
    registered: LinkedWorktree | None
    branch_elsewhere: Path | None
    folder: Folder


class Ensuring(Enum):
    """What to do."""

    CREATE = auto()
    ADD = auto()
    FORGET_AND_ADD = auto()
    FINISH_CHECKOUT = auto()
    ADOPT = auto()


def decide_ensuring(plan: WorktreePlan, found: Situation) -> Ensuring:
    """Create, repair or adopt.

    Raises:
        WorktreeConflictError: something in the way is not this worker's; the message has the way out.
    """
    if found.recorded_base is None:
        _refuse_foreign(plan, found)
        return Ensuring.CREATE
    if found.branch_elsewhere is not None:
        raise WorktreeConflictError(
            f"branch {plan.branch} of {plan.worker} is checked out at {found.branch_elsewhere}, not at {plan.path}; "
            f"free it with: git -C '{found.branch_elsewhere}' switch --detach"
        )
    if found.registered is None:
        return _decide_unregistered(plan, found.folder)
    return _decide_registered(plan, found, found.registered)


def _refuse_foreign(plan: WorktreePlan, found: Situation) -> None:
    not_ours = f"and {plan.worker} did not make it"
    if found.registered is not None:
        gone = found.folder is Folder.ABSENT
        way_out = "parallel-workers worktree prune" if gone else f"git worktree remove '{plan.path}'"
        held = found.registered.branch or "a detached HEAD"
        raise WorktreeConflictError(
            f"a worktree{' whose folder is gone' if gone else ''} for {held} is registered at {plan.path} {not_ours}; "
            f"if nothing in it is needed: {way_out}"
        )
    if found.branch_sha is not None:
        at = f", checked out at {found.branch_elsewhere}" if found.branch_elsewhere else ""
        raise WorktreeConflictError(
            f"branch {plan.branch} exists already{at} {not_ours}; "
            f"keep it under another name: git branch --move {plan.branch} {plan.branch}-old"
        )
    _refuse_content(plan, found.folder)


def _refuse_content(plan: WorktreePlan, folder: Folder) -> None:
    if folder not in {Folder.ABSENT, Folder.EMPTY}:
        what = "is no folder" if folder is Folder.NO_FOLDER else "exists, holds files and is no worktree of ours"
        raise WorktreeConflictError(
            f"{plan.path} {what}; it is left as it is. Move it away: mv '{plan.path}' '{plan.path}.old'"
        )


def _decide_unregistered(plan: WorktreePlan, folder: Folder) -> Ensuring:
    _refuse_content(plan, folder)
    return Ensuring.ADD


def _decide_registered(plan: WorktreePlan, found: Situation, registered: LinkedWorktree) -> Ensuring:
    folder = found.folder
    if folder is Folder.NO_FOLDER:
        _refuse_content(plan, folder)
    if registered.half_made and folder is not Folder.CONTENT:
        return Ensuring.FORGET_AND_ADD
    if folder in {Folder.ABSENT, Folder.EMPTY}:
        if registered.lock_reason is not None:
            raise WorktreeConflictError(
                f"the worktree at {plan.path} is gone but locked ({registered.lock_reason or 'no reason given'}); "
                f"if it is not on a drive that will come back: git worktree unlock '{plan.path}'"
            )
        return Ensuring.FORGET_AND_ADD
    if registered.branch != plan.branch:
        raise WorktreeConflictError(
            f"the worktree at {plan.path} is on {registered.branch or 'a detached HEAD'}, not on {plan.branch}"
            f"{_way_back(plan, found, registered.branch)}"
        )
    # files that nobody was writing are somebody's work, also when git has lost its index of them
    begun = registered.checking_out or folder is Folder.GIT_FILE_ONLY
    return Ensuring.FINISH_CHECKOUT if begun and not registered.checked_out else Ensuring.ADOPT


def _way_back(plan: WorktreePlan, found: Situation, checked_out: str | None) -> str:
    git = f"git -C '{plan.path}'"
    if found.branch_sha is not None:
        return (
            "; end what is under way there (git rebase --abort, git merge --abort) and go back with: "
            f"{git} switch {plan.branch}"
        )
    if checked_out is None:
        return f", which is gone; make it again where that HEAD is with: {git} switch --create {plan.branch}"
    return (
        f", which is gone; if {checked_out} is it by another name: {git} branch --move {checked_out} {plan.branch}; "
        f"if not, begin it anew with: {git} switch --create {plan.branch} {(found.recorded_base or plan.base_sha)[:12]}"
    )
