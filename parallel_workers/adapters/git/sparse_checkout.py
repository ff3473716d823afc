"""Confines a worktree's checkout to the folders its worker was given (git help sparse-checkout, cone mode)."""

from __future__ import annotations

from pathlib import PurePosixPath

from loguru import logger

from parallel_workers.adapters.git.commits import read_status
from parallel_workers.adapters.git.layout import LinkedWorktree
from parallel_workers.adapters.git.opened import OpenedRepository, WorktreeLocation
from parallel_workers.adapters.git.repository_lock import RepositoryLock


def confine(opened: OpenedRepository, linked: LinkedWorktree, paths: tuple[str, ...]) -> None:
    """Set the sparse checkout to `paths` (all for none); no process when it was set to them before.

    For a worktree without files of anybody's; hold the repository's lock.
    """
    if linked.paths == paths:
        return
    location = opened.locate_linked(linked)
    if paths:
        opened.git_in(location, "sparse-checkout", "set", "--cone", "--stdin", stdin="\n".join(paths) + "\n")
    else:
        opened.git_in(location, "sparse-checkout", "disable")
    # last, so that one killed before this is set again
    linked.note_paths(paths)


def confine_adopted(
    opened: OpenedRepository, lock: RepositoryLock, linked: LinkedWorktree, paths: tuple[str, ...]
) -> None:
    """As `confine` for a worktree with files, when nothing in it could be lost; else it says that it changed nothing.

    Raises:
        RepositoryLockedError: another process keeps the lock.
    """
    if linked.paths == paths:
        return
    location = opened.locate_linked(linked)
    at_risk = _find_at_risk(opened, location, paths)
    if at_risk:
        shown = ", ".join(at_risk[:3])
        logger.warning("{} keeps the folders it has checked out: {} would be in the way", linked.path, shown)
        return
    with lock.hold():
        confine(opened, linked, paths)


def _find_at_risk(opened: OpenedRepository, location: WorktreeLocation, paths: tuple[str, ...]) -> list[str]:
    status = read_status(opened, location)
    ignored = opened.git_in(location, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    outside = [name for name in ignored.split("\0") if name and not is_kept(name, paths)]
    return [*status.changed, *status.untracked, *outside]


def is_kept(name: str, paths: tuple[str, ...]) -> bool:
    """Whether cone mode leaves an ignored file alone: git deletes what is left in a folder outside the cone."""
    folder = PurePosixPath(name).parent
    if not paths or folder == PurePosixPath():
        return True
    wanted = [PurePosixPath(path) for path in paths]
    return any(folder.is_relative_to(path) or path.is_relative_to(folder) for path in wanted)
