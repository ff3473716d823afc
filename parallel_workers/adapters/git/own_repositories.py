"""Repositories inside a worktree: submodules, and whatever an agent cloned or made there.

git adds such a folder as a mere link to a commit, so that its files and commits would be lost with the worktree.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from parallel_workers.errors import UnsavedWorkError


def find_repositories(worktree: Path, ignored: Collection[str]) -> tuple[str, ...]:
    """Folders below `worktree` that have a `.git` of their own, whatever it is; ignored ones are not looked into.

    Raises:
        UnsavedWorkError: a folder cannot be read, so that nobody knows what it holds.
    """
    skipped = {name.rstrip("/") for name in ignored}
    found: list[str] = []
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(worktree / folder) as entries:
                listed = list(entries)
        except OSError as error:
            raise UnsavedWorkError(
                f"{worktree / folder} cannot be read ({error.strerror}), so nothing is removed; "
                f"make it readable: chmod -R u+rwX '{worktree / folder}'"
            ) from error
        if folder and any(entry.name == ".git" for entry in listed):
            found.append(folder)
            continue
        prefix = f"{folder}/" if folder else ""
        below = [f"{prefix}{entry.name}" for entry in listed if _is_folder(entry, folder)]
        waiting += [name for name in below if name not in skipped]
    return tuple(sorted(found))


def _is_folder(entry: os.DirEntry[str], parent: str) -> bool:
    return entry.is_dir(follow_symlinks=False) and not (not parent and entry.name == ".git")
