"""git's lock files: which there are, how old they are, and who may hold them."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from parallel_workers.adapters.git.layout import linked_worktrees
from parallel_workers.adapters.places import is_shared
from parallel_workers.health import LockFile

_OURS = "parallel-workers"
_NO_COMMAND_LINE = "a git of another user"


def look_at_locks(main: Path, common_dir: Path) -> tuple[LockFile, ...]:
    """Every lock file of git in a repository, with the living processes that may hold it."""
    found = sorted(find_lock_files(common_dir))
    if not found:
        return ()
    roots = (main, common_dir, *(entry.path for entry in linked_worktrees(common_dir)))
    at_work, shared, now = find_git_processes(roots), is_shared(common_dir), time.time()
    locks = []
    for path in found:
        try:
            age = max(0.0, now - path.stat().st_mtime)
        except FileNotFoundError:
            continue
        locks.append(LockFile(path, age, tuple(dict.fromkeys((*at_work, *find_openers(path)))), shared))
    return tuple(locks)


def find_lock_files(common_dir: Path) -> Iterator[Path]:
    """Lock files of index, HEAD, config and refs, those of linked worktrees included (git help api-lockfile)."""
    places = (common_dir.glob("*.lock"), (common_dir / "refs").rglob("*.lock"))
    linked = (common_dir / "worktrees").glob("*/*.lock") if (common_dir / "worktrees").is_dir() else ()
    for group in (*places, linked):
        # Ours are files that stay: what counts is who holds them, not that they are there.
        yield from (path for path in group if path.is_file() and not path.name.startswith(_OURS))


def find_git_processes(roots: Iterable[Path]) -> tuple[str, ...]:
    """Living gits that work in one of the folders, or of which that cannot be known, as `git commit (process 12)`."""
    wanted = tuple(str(root.resolve()) for root in roots)
    found = []
    for process in psutil.process_iter():
        try:
            if not process.name().startswith("git") or process.status() == psutil.STATUS_ZOMBIE:
                continue
            command = process.cmdline()
            known = [process.cwd(), process.environ().get("GIT_DIR", ""), *command]
        except psutil.NoSuchProcess:
            continue
        except (psutil.Error, OSError):
            found.append(f"{_NO_COMMAND_LINE} (process {process.pid})")
            continue
        if any(root in text for root in wanted for text in known):
            found.append(f"{' '.join(command[:2])} (process {process.pid})")
    return tuple(found)


def find_openers(path: Path) -> tuple[str, ...]:
    """Living processes that have the file open, other than this one, as `git (process 12)`."""
    found = []
    for process in psutil.process_iter():
        try:
            is_open = process.pid != os.getpid() and any(each.path == str(path) for each in process.open_files())
            if is_open:
                found.append(f"{process.name()} (process {process.pid})")
        except (psutil.Error, OSError):
            continue
    return tuple(found)


def find_flock_holders(path: Path) -> tuple[str, ...]:
    """Who holds our own lock on a repository; () when it is free. It is never made, and let go of at once."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return find_openers(path) or ("a process of another user",)
    finally:
        os.close(descriptor)
    return ()
