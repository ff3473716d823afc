"""Other file systems mounted inside a folder: what is in them is not the folder's, and is never deleted with it."""

from __future__ import annotations

import os
import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_MOUNT_POINT = 4
"""Which field of a line it is (man 5 proc)."""


def find_mounts(folder: Path) -> tuple[Path, ...]:
    """Where something is mounted at `folder` or below it, the innermost first."""
    try:
        listed = parse_mounts(_MOUNTS.read_bytes())
    except OSError:
        # not Linux: a folder of the same file system that is mounted there too is not seen
        found = _other_devices(folder, folder.parent.stat().st_dev) if folder.is_dir() else []
    else:
        real = folder.resolve()
        found = [folder / point.relative_to(real) for point in listed if point.is_relative_to(real)]
    return tuple(sorted(set(found), reverse=True))


def parse_mounts(text: bytes) -> list[Path]:
    """The mount points in the text of /proc/self/mountinfo; the kernel writes white space and `\\` as octal escapes."""
    fields = (line.split(b" ") for line in text.split(b"\n"))
    points = (each[_MOUNT_POINT] for each in fields if len(each) > _MOUNT_POINT)
    return [Path(os.fsdecode(_ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), point))) for point in points]


def _other_devices(folder: Path, device: int) -> list[Path]:
    """The topmost folders at or below `folder` that are on another device than `device`; no link is followed."""
    if folder.lstat().st_dev != device:
        return [folder]
    with os.scandir(folder) as entries:
        below = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    return [found for one in below for found in _other_devices(one, device)]
