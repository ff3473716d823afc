"""Files stored as the bytes they are: no filter, line-end conversion or link of a worktree is followed."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from parallel_workers.adapters.git.file_states import GONE
from parallel_workers.adapters.git.opened import OpenedRepository

FILE, PROGRAM, LINK = "100644", "100755", "120000"
# what is saved is on the disk before anything is deleted, also when the power fails
DURABLE = ("-c", "core.fsync=committed,loose-object,reference", "-c", "core.bigFileThreshold=16m")


def read_modes(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """git's mode for each file as it lies there; `GONE` for what is not there, or is neither file nor link.

    What lies behind a folder that is a link now is not there either: it is not the worktree's.
    """
    real: dict[Path, bool] = {folder: True}
    return {name: _read_mode(folder / name) if _is_real((folder / name).parent, real) else GONE for name in names}


def store_files(opened: OpenedRepository, folder: Path, modes: Mapping[str, str]) -> dict[str, str]:
    """Put the files in `modes` that are there into the object store; their blobs by name.

    Raises:
        GitCommandError: a file could not be read or stored.
    """
    files = [name for name, mode in modes.items() if mode in {FILE, PROGRAM}]
    links = [name for name, mode in modes.items() if mode == LINK]
    # `--stdin-paths` takes a name per line, and a carriage return at its end for a part of the line's end
    plain = [name for name in files if not {"\n", "\r"} & set(str(folder / name))]
    blobs = dict(zip(plain, _hash_paths(opened, [folder / name for name in plain]), strict=True))
    for name in files:
        if name not in blobs:
            blobs[name] = opened.git(*DURABLE, "hash-object", "-w", "--no-filters", "--", str(folder / name))
    return blobs | _store_links(opened, folder, links)


def store_texts(opened: OpenedRepository, texts: Mapping[str, bytes]) -> dict[str, str]:
    """The same for bytes at hand: their blobs by name."""
    with tempfile.TemporaryDirectory(prefix="parallel-workers-") as scratch:
        places = [Path(scratch) / str(number) for number in range(len(texts))]
        for place, text in zip(places, texts.values(), strict=True):
            place.write_bytes(text)
        return dict(zip(texts, _hash_paths(opened, places), strict=True))


def _store_links(opened: OpenedRepository, folder: Path, names: list[str]) -> dict[str, str]:
    # not Path.readlink: it would make `a//b` or `./b` into something shorter
    targets = {name: os.fsencode(os.readlink(folder / name)) for name in names}  # noqa: PTH115
    return store_texts(opened, targets)


def _hash_paths(opened: OpenedRepository, paths: list[Path]) -> list[str]:
    if not paths:
        return []
    asked = "".join(f"{path}\n" for path in paths)
    return opened.git(*DURABLE, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=asked).split("\n")


def _is_real(folder: Path, real: dict[Path, bool]) -> bool:
    """Whether neither `folder` nor any on the way to it is a link; `real` has those that were looked at."""
    if folder not in real:
        real[folder] = _is_real(folder.parent, real) and not folder.is_symlink()
    return real[folder]


def _read_mode(path: Path) -> str:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return GONE
    if stat.S_ISLNK(mode):
        return LINK
    if not stat.S_ISREG(mode):
        return GONE
    return PROGRAM if mode & stat.S_IXUSR else FILE
