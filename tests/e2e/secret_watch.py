"""Looks for a secret wherever somebody else could read it: in argument lists while they live, and in files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROC = Path("/proc")
_PAUSE_SECONDS = 0.02


@contextmanager
def watching_arguments(secret: str) -> Iterator[list[str]]:
    """The argument lists of all processes of this machine that hold the secret; filled in while inside."""
    found: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_PAUSE_SECONDS):
            holding = (arguments for arguments in _arguments() if secret.encode() in arguments)
            found.extend(arguments.replace(b"\0", b" ").decode(errors="replace") for arguments in holding)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def files_with(secret: str, *folders: Path) -> list[Path]:
    """The files below the folders that hold the secret as it is; links are not followed."""
    files = (file for folder in folders for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return [file for file in files if secret.encode() in file.read_bytes()]


def _arguments() -> Iterator[bytes]:
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                yield (folder / "cmdline").read_bytes()
            except OSError:  # it has ended
                continue
