"""The log of a standing process: `<folder>/<name>.log`, the one before it as `<name>.log.1`, both bounded."""

from __future__ import annotations

import os
import threading
from pathlib import Path

MAX_BYTES = 5_000_000
_SERVER = "server"
_LOOK_SECONDS = 60


def log_file(folder: Path, name: str = _SERVER) -> Path:
    """Where the running (or last) process of that name writes what it has to say."""
    return folder / f"{name}.log"


def begin(folder: Path, name: str = _SERVER) -> None:
    """Put this process's stdout and stderr into a log of its own, kept bounded; the one before is kept as `.1`."""
    file = log_file(folder, name)
    if file.exists():
        file.replace(file.with_name(f"{file.name}.1"))
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    threading.Thread(target=_keep_bounded, args=(folder, name), daemon=True).start()


def _keep_bounded(folder: Path, name: str) -> None:
    pause = threading.Event()
    while not pause.wait(_LOOK_SECONDS):
        trim(folder, name=name)


def trim(folder: Path, max_bytes: int = MAX_BYTES, *, name: str = _SERVER) -> bool:
    """Start the log anew once it is larger than `max_bytes`, keeping its last half as `.1`. True when it did.

    The file stays the same one (it is emptied, not replaced): the process has it open for appending.
    """
    file = log_file(folder, name)
    if not file.exists() or file.stat().st_size <= max_bytes:
        return False
    with file.open("r+b") as log:
        log.seek(-max_bytes // 2, os.SEEK_END)
        file.with_name(f"{file.name}.1").write_bytes(log.read())
        log.truncate(0)
    return True


def last_lines(folder: Path, count: int = 10, *, name: str = _SERVER) -> tuple[str, ...]:
    """The end of the log, for a message about a process that did not come up."""
    try:
        with log_file(folder, name).open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 20_000))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(line for line in text.splitlines() if line.strip())[-count:]
