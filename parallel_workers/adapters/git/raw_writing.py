"""Writes saved files back as the bytes they were, and never through a link or out of the folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from parallel_workers.adapters.git.file_states import GONE
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.raw_files import LINK, PROGRAM
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.rescues import SavedFile

_BYTES_AT_ONCE = 32 * 1024 * 1024


def write_files(opened: OpenedRepository, folder: Path, files: Sequence[SavedFile]) -> None:
    """Make each file in `folder` what it was; those that were deleted go.

    Raises:
        UnsavedWorkError: a name leads out of the folder, or through a link; nobody's worktree had such a file.
        GitCommandError: a blob is not there.
    """
    check_names(file.path for file in files)
    for file in files:
        if file.mode == GONE:
            _remove(folder, file.path)
    wanted = [file for file in files if file.mode != GONE]
    for group in _grouped(opened, wanted):
        for file, content in zip(group, _read_blobs(opened, group), strict=True):
            _write(folder, file, content)


def _grouped(opened: OpenedRepository, files: list[SavedFile]) -> Iterator[list[SavedFile]]:
    """The files in groups that fit into memory."""
    if not files:
        return
    asked = "".join(f"{file.sha}\n" for file in files)
    sizes = opened.git("cat-file", "--batch-check=%(objectsize)", stdin=asked).split("\n")
    group: list[SavedFile] = []
    total = 0
    for file, size in zip(files, sizes, strict=True):
        if not size.isdigit():
            raise UnsavedWorkError(f"{file.path} cannot be restored: its content {file.sha} is not in the repository")
        if group and total + int(size) > _BYTES_AT_ONCE:
            yield group
            group, total = [], 0
        group.append(file)
        total += int(size)
    yield group


def _read_blobs(opened: OpenedRepository, files: list[SavedFile]) -> Iterator[bytes]:
    asked = "".join(f"{file.sha}\n" for file in files)
    answer = memoryview(f"{opened.git('cat-file', '--batch', stdin=asked)}\n".encode("utf-8", "surrogateescape"))
    at = 0
    for file in files:
        # `<sha> blob <size>`, a newline, the content, a newline
        header = bytes(answer[at : at + 100]).partition(b"\n")[0]
        if b" blob " not in header:
            raise UnsavedWorkError(f"{file.path} cannot be restored: {file.sha} is no file's content")
        at += len(header) + 1
        size = int(header.rpartition(b" ")[2])
        yield bytes(answer[at : at + size])
        at += size + 1


def _write(folder: Path, file: SavedFile, content: bytes) -> None:
    place = folder / file.path
    _make_way(folder, file.path)
    if file.mode == LINK:
        place.symlink_to(os.fsdecode(content))
        return
    mode = 0o777 if file.mode == PROGRAM else 0o666
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as opened_file:
        opened_file.write(content)


def _make_way(folder: Path, name: str) -> None:
    """Real folders on the way, and nothing in the file's place."""
    place = folder
    for part in PurePosixPath(name).parts[:-1]:
        place /= part
        if place.is_symlink() or place.is_file():
            place.unlink()
        place.mkdir(exist_ok=True)
    last = folder / name
    if last.is_dir() and not last.is_symlink():
        last.rmdir()
    else:
        last.unlink(missing_ok=True)


def _remove(folder: Path, name: str) -> None:
    place = folder / name
    if place.is_dir() and not place.is_symlink():
        return
    parents = list(place.relative_to(folder).parents)[:-1]
    if any((folder / parent).is_symlink() for parent in parents):
        return
    place.unlink(missing_ok=True)
    for parent in parents:
        try:
            (folder / parent).rmdir()
        except OSError:
            return


def check_names(names: Iterable[str]) -> None:
    """Return if each of `names` is one that a file of a worktree can have.

    Raises:
        UnsavedWorkError: one leads out of the folder, or into git's own.
    """
    for name in names:
        if {"", ".", "..", ".git"} & set(name.split("/")):
            raise UnsavedWorkError(f"{name!r} is no file of a worktree; the rescue is not what parallel-workers made")
