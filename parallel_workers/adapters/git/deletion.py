"""Deletes a worktree's folder and record in steps, so that a kill between any two loses nothing.

Before the first step everything is saved. The folder is moved aside in one step; where to is noted in the worktree's
record before. So whoever comes next either finds the worktree whole, or a note of what is left to delete.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shlex
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from parallel_workers.adapters.git.layout import LinkedWorktree
from parallel_workers.adapters.git.mounts import find_mounts
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.adapters.git.seen_files import SeenFiles, delete_seen, ensure_rules_may_go, in_order
from parallel_workers.crash_points import reach
from parallel_workers.errors import ParallelWorkersError, UnsavedWorkError

_NOTE = "parallel-workers-removing"
_ENDED_RECORDS = "parallel-workers-removed"
_MARK = "parallel-workers-removing"
_ASIDE = re.compile(rf"\.(.+)\.{_MARK}-[0-9a-f]{{8}}")
_ENDED_NAME = re.compile(r".+-[0-9a-f]{8}")


class BegunDeletion(NamedTuple):
    """A folder that is moved aside, and the rescue ref that has what was in it, if anything had to be saved.

    `looked_at` is when the look began, after it had been moved, that found or saved all in it: nanoseconds by the clock
    of its file system; 0 before there was one. With one, some of it may be deleted, and it is never moved back.
    `folders` are the inodes of the folders that were in it then: what lies in any other came later.
    """

    aside: Path
    rescue_ref: str | None
    looked_at: int = 0
    folders: frozenset[int] = frozenset()


def removed_from(folder: Path) -> Path | None:
    """Where the worktree was that `folder` is what is left of, by its name; None when it has another name."""
    found = _ASIDE.fullmatch(folder.name)
    return folder.with_name(found[1]) if found else None


@contextmanager
def removal_lock(linked: LinkedWorktree) -> Iterator[bool]:
    """One remover at a time for each worktree; False when its record went while we waited.

    Raises:
        RepositoryLockedError: another process keeps it.
    """
    try:
        with RepositoryLock(linked.admin / "parallel-workers.lock").hold():
            yield (linked.admin / "gitdir").exists()
    except FileNotFoundError:
        if linked.admin.exists():
            raise
        yield False


def find_begun(linked: LinkedWorktree) -> BegunDeletion | None:
    """A deletion that was cut off after the folder had been moved aside; only the rest is to be deleted."""
    try:
        # an older version noted no folders
        aside, rescue_ref, looked_at, *rest = json.loads((linked.admin / _NOTE).read_text(encoding="ascii"))
        begun = BegunDeletion(Path(aside), rescue_ref, int(looked_at), frozenset(*rest))
    except (FileNotFoundError, TypeError, ValueError):
        return None
    # beside the worktree and named by us, or it is not what we moved
    ours = begun.aside.parent == linked.path.parent and begun.aside.name.startswith(f".{linked.path.name}.{_MARK}-")
    if not ours or begun.aside.is_symlink():
        return None
    moved = begun.aside.is_dir() or not os.path.lexists(linked.path)
    return begun if moved else None


def forget_begun(linked: LinkedWorktree) -> None:
    """Drop the note of a deletion that was given up: the worktree is in use again, and what is in it was not looked at.

    Raises:
        RepositoryLockedError: somebody is removing it at this moment.
    """
    note = linked.admin / _NOTE
    if note.exists():
        with removal_lock(linked) as registered:
            if registered and linked.path.is_dir():
                note.unlink(missing_ok=True)


def move_aside(linked: LinkedWorktree, rescue_ref: str | None) -> BegunDeletion:
    """Take the folder out of the way in one step; it stays on its file system.

    Raises:
        UnsavedWorkError: the folder cannot be moved; nothing was removed.
    """
    aside = linked.path.with_name(f".{linked.path.name}.{_MARK}-{secrets.token_hex(4)}")
    begun = BegunDeletion(aside, rescue_ref)
    note_deletion(linked, begun)
    reach("removal.noted")
    try:
        linked.path.rename(aside)
    except OSError as error:
        (linked.admin / _NOTE).unlink(missing_ok=True)
        raise UnsavedWorkError(
            f"{linked.path} cannot be removed ({error.strerror}); make its folder writable: "
            f"chmod u+rwx '{linked.path.parent}'"
        ) from error
    # so that the task can be begun anew there, should we be killed
    (linked.admin / "locked").unlink(missing_ok=True)
    reach("removal.moved-aside")
    return begun


def note_deletion(linked: LinkedWorktree, begun: BegunDeletion) -> None:
    """Write down, in one step, where the folder goes, where its work is saved, and what the last look found."""
    draft = linked.admin / f"{_NOTE}.new"
    noted = [str(begun.aside), begun.rescue_ref, begun.looked_at, sorted(begun.folders)]
    draft.write_text(json.dumps(noted), encoding="ascii")
    draft.rename(linked.admin / _NOTE)


def move_back(linked: LinkedWorktree, begun: BegunDeletion) -> None:
    """Undo `move_aside`; where something else lies at the old place by now, it stays aside, and noted."""
    if os.path.lexists(linked.path):
        return
    begun.aside.rename(linked.path)
    (linked.admin / _NOTE).unlink(missing_ok=True)


def finish_deletion(linked: LinkedWorktree, begun: BegunDeletion, seen: SeenFiles) -> None:
    """Delete what was moved aside and was `seen` before it was looked at, then the record.

    Raises:
        ParallelWorkersError: a part of it cannot be deleted; all in it is saved, or will be at the next try.
    """
    mounted = find_mounts(begun.aside)
    if mounted:
        places = " ".join(shlex.quote(str(place)) for place in mounted)
        raise ParallelWorkersError(
            f"{linked.path} is not removed completely: something else was mounted in it meanwhile. "
            f"Unmount it: umount {places}, and remove the worktree again"
        )
    try:
        if begun.aside.is_dir() and not begun.aside.is_symlink():
            begun.aside.chmod(stat.S_IRWXU)
            for name in in_order(sorted(entry.name for entry in begun.aside.iterdir())):
                ensure_rules_may_go(name, begun.aside)
                delete_tree(begun.aside / name, seen)
                reach("removal.half-deleted")
            begun.aside.rmdir()
    except OSError as error:
        if error.errno == errno.ENOTEMPTY:
            # somebody still writes there: that is not what was looked at
            raise ParallelWorkersError(
                f"{linked.path} is not removed completely: something still writes to it. End that program and remove "
                "the worktree again; what it has written is saved then, too"
            ) from error
        raise ParallelWorkersError(
            f"{error.filename or begun.aside} cannot be deleted ({error.strerror}). What was in the worktree is saved; "
            f"delete the rest as somebody who may: rm -rf '{begun.aside}', and remove the worktree again"
        ) from error
    reach("removal.folder-deleted")
    delete_record(linked)


def delete_record(linked: LinkedWorktree) -> None:
    """Make git forget the worktree: in one step, so that nobody reads half a record."""
    common_dir = linked.admin.parent.parent
    ended = common_dir / _ENDED_RECORDS
    if ended.is_symlink():
        raise ParallelWorkersError(
            f"{ended} is a symbolic link, which we did not make: look where it leads, and delete it"
        )
    moved = False
    while not moved:
        # another remover may sweep the folder away at any moment, also between the two looks that `exist_ok` takes
        with contextlib.suppress(FileExistsError):
            ended.mkdir()
        with contextlib.suppress(FileNotFoundError):
            linked.admin.rename(ended / f"{linked.admin.name}-{secrets.token_hex(4)}")
        moved = not linked.admin.exists()
    reach("removal.record-moved")
    sweep_records(common_dir)


def sweep_records(common_dir: Path) -> None:
    """Delete records that git has forgotten already, whoever left them."""
    ended = common_dir / _ENDED_RECORDS
    if ended.is_symlink():
        return
    with contextlib.suppress(FileNotFoundError):
        for leftover in (one for one in ended.iterdir() if _ENDED_NAME.fullmatch(one.name)):
            shutil.rmtree(leftover, ignore_errors=True)
    with contextlib.suppress(OSError):
        ended.rmdir()


def delete_tree(path: Path, seen: SeenFiles) -> None:
    """Delete what was seen: a file, a link, or a folder with all in it; read-only folders too.

    Raises:
        OSError: ENOTEMPTY where something else is left, which stays; or something cannot be deleted.
    """
    if path.is_symlink() or not path.is_dir():
        with contextlib.suppress(FileNotFoundError):
            if seen.holds(str(path), path.lstat()):
                path.unlink()
        return
    try:
        delete_seen(path, seen)
    except PermissionError:
        _make_writable(str(path))
        delete_seen(path, seen)


def _make_writable(folder: str) -> None:
    Path(folder).chmod(stat.S_IRWXU)
    with os.scandir(folder) as entries:
        below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    for one in below:
        _make_writable(one)
