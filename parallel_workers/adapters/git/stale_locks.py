"""Lock files of a git that was killed together with its agent or engine: git would ask the user to delete them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from loguru import logger

from parallel_workers.adapters.git.layout import LinkedWorktree, branch_ref
from parallel_workers.adapters.git.opened import OpenedRepository

_STILL_SECONDS = 1.0
"""A git that lives works on under its lock, or is done; its file does not lie there unchanged for so long. The one
whose worker is taken up has no agent any more, so all that could hold one is the last git of an engine just killed."""
_LOOK_SECONDS = 0.05


def remove_stale_locks(opened: OpenedRepository, linked: LinkedWorktree, branch: str) -> None:
    """Remove what stands in the way of the next commit in a worktree that is taken up again; no wait without any."""
    locks = (linked.admin / "index.lock", linked.admin / "HEAD.lock", opened.common_dir / f"{branch_ref(branch)}.lock")
    for lock, age_seconds in _wait_until_still(locks):
        logger.warning("removed {}: the git that held it has been gone for {:.0f} s", lock, age_seconds)
        lock.unlink(missing_ok=True)


def _wait_until_still(locks: Iterable[Path]) -> list[tuple[Path, float]]:
    """Those that are there and that nobody works under, with the time since they were written last."""
    seen = {lock: sign for lock in locks if (sign := _sign_of(lock)) is not None}
    still_at = {lock: time.monotonic() + _STILL_SECONDS for lock in seen}
    while any(time.monotonic() < still_at[lock] for lock in seen):
        time.sleep(_LOOK_SECONDS)
        for lock, before in list(seen.items()):
            now = _sign_of(lock)
            if now is None:
                del seen[lock]
            elif now != before:
                seen[lock], still_at[lock] = now, time.monotonic() + _STILL_SECONDS
    return [(lock, time.time() - written_at) for lock, (_, _, written_at) in seen.items()]


def _sign_of(lock: Path) -> tuple[int, int, float] | None:
    """What changes while somebody writes it; None when it is not there."""
    try:
        found = lock.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime
