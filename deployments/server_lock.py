"""The lock a standing process (server, Prefect worker, watcher) holds while it lives; the kernel frees the dead's."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from deployments.server_address import ServerRecord, own_record, read_record, record_text

SERVER = "server"


def acquire(folder: Path, name: str = SERVER, url: str = "") -> int | None:
    """Take the lock for this process, which serves `url`. The descriptor to keep open; None: another process has it."""
    descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, record_text(own_record(url)).encode())
    return descriptor


def find_holder(folder: Path, name: str = SERVER) -> ServerRecord | None:
    """The process that holds the lock, whether or not it answers yet."""
    return read_record(folder / f"{name}.lock") if is_held(folder, name) else None


def is_held(folder: Path, name: str = SERVER) -> bool:
    """Whether the process lives: ready, or still on its way, or on its way out."""
    try:
        descriptor = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
