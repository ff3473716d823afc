"""The lock a server's process holds on its folder as long as it lives; the kernel lets go of it for the dead."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from deployments.server_address import ServerRecord, own_record, read_record, record_text

_NAME = "server.lock"


def acquire(server_folder: Path) -> int | None:
    """Take the lock for this process. The descriptor to keep open, or None when another process has it."""
    descriptor = os.open(server_folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, record_text(own_record()).encode())
    return descriptor


def find_holder(server_folder: Path) -> ServerRecord | None:
    """The process that holds the lock, whether or not it answers yet."""
    return read_record(server_folder / _NAME) if is_held(server_folder) else None


def is_held(server_folder: Path) -> bool:
    """Whether a server's process lives: ready, or still on its way, or on its way out."""
    try:
        descriptor = os.open(server_folder / _NAME, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
