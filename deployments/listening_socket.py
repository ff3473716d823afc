"""A socket bound before the server is made, so that the server's own address is known to it from the first moment."""

from __future__ import annotations

import socket
from pathlib import Path

_BACKLOG = 2048
_HIGHEST_PORT = 65535


def listen(host: str, wanted_port: str, memory: Path) -> socket.socket:
    """Listen on the port asked for, else on the one noted in the file `memory`, else on any free one (and note it).

    The same port as last time keeps bookmarks of the UI, and flow runs that outlive a restart of the server, working.

    Raises:
        ValueError: `wanted_port` is no port number.
        OSError: the port asked for cannot be had.
    """
    if wanted_port:
        port = int(wanted_port)
        if not 0 <= port <= _HIGHEST_PORT:
            raise ValueError(f"{port} is no port number")
        return _listen(host, port)
    try:
        return _listen(host, int(memory.read_text(encoding="utf-8")))
    except (OSError, ValueError, OverflowError):
        listener = _listen(host, 0)
    memory.write_text(f"{listener.getsockname()[1]}\n", encoding="utf-8")
    return listener


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A port whose last connections are still being forgotten by the kernel is free for us.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError):
        listener.close()
        raise
    return listener
