"""What a folder that we write to is like: writable, on which disk, inside somebody's clone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

from parallel_workers.health import Place

_SHARED = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "ceph", "glusterfs", "lustre", "afs"})
"""File systems that other machines write to as well, by the names in /proc/mounts."""


def look_at_place(name: str, path: Path) -> Place:
    """The folder as it is, or as it would be when it is made: then what counts is the nearest one that exists."""
    real = path.resolve()
    nearest = next(folder for folder in (real, *real.parents) if folder.exists())
    # os.access also knows of a file system that is mounted read-only.
    writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    disk = shutil.disk_usage(nearest)
    return Place(name, path, writable, disk.free, disk.total, find_clone(real))


def find_clone(path: Path) -> Path | None:
    """The checkout or bare repository that a folder is, or lies in; None when it lies in none."""
    for folder in (path, *path.parents):
        bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
        if bare or (folder / ".git").exists():
            return folder
    return None


def is_shared(path: Path) -> bool:
    """Whether a path is on a file system that other machines may write to."""
    real = path.resolve()
    around = [disk for disk in psutil.disk_partitions(all=True) if real.is_relative_to(disk.mountpoint)]
    nearest = max(around, key=lambda disk: len(disk.mountpoint), default=None)
    return nearest is not None and nearest.fstype in _SHARED
