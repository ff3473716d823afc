"""What lies in a folder, down to the byte, so that two can be compared."""

from __future__ import annotations

import os
import stat
from pathlib import Path

Picture = dict[bytes, tuple[str, bytes]]


def picture(folder: Path) -> Picture:
    """Every file and link below `folder`, but for git's own: kind (file, program, link) and bytes, by name in bytes."""
    root = os.fsencode(folder)
    found: Picture = {}
    for parent, folders, files in os.walk(root):
        linked = [name for name in folders if os.path.islink(os.path.join(parent, name))]  # noqa: PTH114, PTH118
        for name in (*files, *linked):
            path = os.path.join(parent, name)  # noqa: PTH118 - names may be no text
            key = os.path.relpath(path, root)
            if key != b".git":
                found[key] = _read(path)
    return found


def _read(path: bytes) -> tuple[str, bytes]:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "link", os.readlink(path)  # noqa: PTH115
    kind = "program" if mode & stat.S_IXUSR else "file"
    return kind, Path(os.fsdecode(path)).read_bytes()
