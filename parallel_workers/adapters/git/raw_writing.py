"""Writes saved files back as the bytes they were, and never through a link or out of the folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from parallel_workers.adapters.git.file_states import GONE
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.raw_files import LINK, PROGRAM
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.rescues import SavedFile

_IGNORED = "ignored"
_BYTES_AT_ONCE = 8 * 1024 * 1024
"""What is read at one go takes several times that in memory; a file that is larger goes to the disk as it comes."""


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
    # a link comes last: nothing is written through it, and it stays where a file claims to lie behind it
    wanted = sorted((file for file in files if file.mode != GONE), key=lambda file: file.mode == LINK)
    for group in _grouped(opened, wanted):
        if group.large:
            _copy(opened, folder, *group.files)
            continue
        for file, content in zip(group.files, _read_blobs(opened, group.files), strict=True):
            _write(folder, file, content)


class _Group(NamedTuple):
    """Files that fit into memory together, or one that is `large`."""

    files: list[SavedFile]
    large: bool = False


def _grouped(opened: OpenedRepository, files: list[SavedFile]) -> Iterator[_Group]:
    if not files:
        return
    asked = "".join(f"{file.sha}\n" for file in files)
    sizes = opened.git("cat-file", "--batch-check=%(objectsize)", stdin=asked).split("\n")
    group: list[SavedFile] = []
    total = 0
    for file, size in zip(files, sizes, strict=True):
        if not size.isdigit():
            raise UnsavedWorkError(f"{file.path} cannot be restored: its content {file.sha} is not in the repository")
        if int(size) > _BYTES_AT_ONCE and file.mode != LINK:
            yield _Group([file], large=True)
            continue
        if group and total + int(size) > _BYTES_AT_ONCE:
            yield _Group(group)
            group, total = [], 0
        group.append(file)
        total += int(size)
    if group:
        yield _Group(group)


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
    with _create(place, file) as opened_file:
        opened_file.write(content)


def _copy(opened: OpenedRepository, folder: Path, file: SavedFile) -> None:
    _make_way(folder, file.path)
    with _create(folder / file.path, file) as opened_file:
        opened.copy_blob(file.sha, opened_file)


def _create(place: Path, file: SavedFile) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    permissions = 0o777 if file.mode == PROGRAM else 0o666
    if file.kind == _IGNORED:
        permissions &= 0o700  # often .env and the like, which nobody else may have been allowed to read
    return os.fdopen(os.open(place, flags, permissions), "wb")


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
        shutil.rmtree(last)
    else:
        last.unlink(missing_ok=True)


def _remove(folder: Path, name: str) -> None:
    place = folder / name
    if place.is_dir() and not place.is_symlink():
        return
    parents = list(place.relative_to(folder).parents)[:-1]
    if any((folder / parent).is_symlink() for parent in parents):
        return
    try:
        place.unlink(missing_ok=True)
    except NotADirectoryError:
        return  # a file is where its folder was
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
