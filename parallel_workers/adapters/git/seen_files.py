"""Which files a folder held when it was looked at: what came or changed since was not saved, and is not deleted."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

_IGNORE_RULES = ".gitignore"


class SeenFiles:
    """All files below a folder, links included, as they were at one moment. Some 60 bytes of memory for each.

    `folders` are the inodes of the folders below it, which a process that comes later can know them by: a folder that
    is moved in from elsewhere on the file system was there already, under another inode.
    """

    def __init__(self, folder: Path) -> None:
        self._closed: list[str] = []
        self._marks: set[int] = set()
        self.folders: set[int] = set()
        device = folder.stat().st_dev
        for root, folders, files in os.walk(folder, onerror=self._note_unread):
            for name in (*folders, *files):
                path = os.path.join(root, name)  # noqa: PTH118 - a Path for each of a hundred thousand files is slow
                try:
                    status = os.lstat(path)
                except FileNotFoundError:
                    continue
                except OSError:
                    self._note_closed(root)
                    continue
                if not stat.S_ISDIR(status.st_mode):
                    self._marks.add(_mark(path, status, knows_change=status.st_nlink == 1))
                elif status.st_dev == device:
                    self.folders.add(status.st_ino)

    def _note_unread(self, error: OSError) -> None:
        # what lies at the place of one that is gone was not seen
        if not isinstance(error, FileNotFoundError):
            self._note_closed(error.filename)

    def _note_closed(self, folder: str) -> None:
        """A folder that cannot be read, not even by git: nothing in it can be told apart."""
        self._closed.append(os.path.join(folder, ""))  # noqa: PTH118 - with a slash at its end

    def holds(self, path: str, status: os.stat_result) -> bool:
        """Whether a file is still as it was seen; `status` is what `lstat` says now."""
        return (
            _mark(path, status, knows_change=True) in self._marks
            or _mark(path, status, knows_change=False) in self._marks
            or path.startswith(tuple(self._closed))
        )


def _mark(path: str, status: os.stat_result, *, knows_change: bool) -> int:
    """The time of the last change tells most; for a file with other names it tells of those, too, and is left out."""
    changed = status.st_ctime_ns if knows_change else 0
    return hash((path, status.st_ino, status.st_size, status.st_mtime_ns, changed))


def moment_of(folder: Path) -> int:
    """Now, in nanoseconds, by the clock that the times of files in `folder` come from, which may be a server's."""
    status = folder.stat()
    with contextlib.suppress(OSError):
        # sets what it was set to, and so only the time of its last change
        os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
    return folder.stat().st_ctime_ns


def in_order(names: Iterable[str]) -> list[str]:
    """As the entries of a folder are deleted: what git ignores is told apart until nothing else is left."""
    return sorted(names, key=lambda name: name == _IGNORE_RULES)


def ensure_rules_may_go(name: str, folder: int | Path) -> None:
    """Before the entry `name` of an open folder is deleted.

    Raises:
        OSError: ENOTEMPTY where it has git's rules for what else is left in it.
    """
    if name != _IGNORE_RULES:
        return
    with os.scandir(folder) as entries:
        if any(entry.name != name for entry in entries):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), name)


def delete_seen(folder: Path, seen: SeenFiles) -> None:
    """Delete a folder with all in it that was seen; links are deleted, not followed. What goes meanwhile is gone.

    Raises:
        OSError: ENOTEMPTY where something was not seen, which stays; or something cannot be deleted.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for root, folders, files, opened in os.fwalk(folder, topdown=False, onerror=refuse):
        for name in in_order((*files, *folders)):
            ensure_rules_may_go(name, opened)
            with contextlib.suppress(FileNotFoundError):
                _delete_one(root, name, opened, seen)
    with contextlib.suppress(FileNotFoundError):
        folder.rmdir()


def _delete_one(root: str, name: str, opened: int, seen: SeenFiles) -> None:
    status = os.stat(name, dir_fd=opened, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        os.rmdir(name, dir_fd=opened)
    elif seen.holds(os.path.join(root, name), status):  # noqa: PTH118 - as above
        os.unlink(name, dir_fd=opened)
