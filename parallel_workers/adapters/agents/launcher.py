"""Our end of the supervisors: starts the small process that forks them, and talks to one of them per agent."""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import parallel_workers

_PACKAGE_PARENT = Path(parallel_workers.__file__).parent.parent
_CODE = (
    "import sys; sys.path.append(sys.argv.pop(1)); from parallel_workers.adapters.agents.supervisor import main; main()"
)
# Quicker and smaller; where there is no /proc the supervisor needs psutil from site-packages.
_WITHOUT_SITE = ("-S",) if sys.platform == "linux" else ()
_EXIT_SECONDS = 2.0
_ANSWER_SECONDS = 60.0


class LaunchRequest(NamedTuple):
    """What a supervisor starts. `program` is the path of argv[0]; times in seconds.

    `linger_seconds` is how long processes may outlive the agent by themselves, `grace_seconds` how long after
    a TERM before the KILL.
    """

    program: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    worktree: str
    linger_seconds: float
    grace_seconds: float


class Report(NamedTuple):
    """A supervisor's last word. The defaults are what can be said when it was killed before it could report.

    `max_rss_bytes` is that of the largest single process; `survivors` could not be ended.
    """

    exit_code: int = -9
    cpu_seconds: float = 0.0
    max_rss_bytes: int = 0
    leftovers: int = 0
    survivors: int = 0


class Launch:
    """One supervisor and its agent, from our side. `fileno` becomes readable when there is something to receive."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._control.settimeout(_ANSWER_SECONDS)
        self._received = b""

    def fileno(self) -> int:
        """For selectors."""
        return self._control.fileno()

    def receive(self) -> dict[str, Any] | None:
        """The next message (blocking); None when the supervisor is gone, or says nothing for a minute."""
        while b"\n" not in self._received:
            try:
                piece = self._control.recv(4096)
            except (ConnectionError, TimeoutError):
                piece = b""
            if not piece:
                return None
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        return dict(json.loads(line))

    def end(self) -> None:
        """Have everything ended; the report follows."""
        try:
            self._control.sendall(b'{"end": true}\n')
        except OSError:
            return  # It has ended already, or is gone: receive() tells.

    def abandon(self, seconds: float) -> None:
        """Have everything ended and wait for that, at most so long; for when the run itself failed."""
        self.end()
        self._control.settimeout(seconds)
        while self.receive() is not None:
            pass

    def close(self) -> None:
        """Let go; a supervisor still at work ends its agent."""
        self._control.close()


class Launcher:
    """The process that forks supervisors, started at the first launch and again if it should have died. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def launch(self, request: LaunchRequest, files: tuple[int, int, int]) -> Launch:
        """Start a supervisor for `request` with `files` as the agent's stdin, stdout and stderr.

        The first message to receive is `started` or `errno`. Raises OSError when no process can be had.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._send(theirs, files)
                ours.sendall(
                    json.dumps({**request._asdict(), "environment": dict(request.environment)}).encode() + b"\n"
                )
            except BaseException:
                ours.close()
                raise
        return Launch(ours)

    def _send(self, control: socket.socket, files: tuple[int, int, int]) -> None:
        with self._lock:
            # After a fork of the engine the socket is still the parent's: two must not write to one.
            if self._requests is None or self._owner != os.getpid():
                self._start()
            assert self._requests is not None  # noqa: S101 — for the type checker
            descriptors = [control.fileno(), *files]
            try:
                socket.send_fds(self._requests, [b"+"], descriptors)
            except (BrokenPipeError, ConnectionResetError):
                self._start()
                socket.send_fds(self._requests, [b"+"], descriptors)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        arguments = ["-I", *_WITHOUT_SITE, "-X", "utf8", "-c", _CODE, str(_PACKAGE_PARENT), str(theirs.fileno())]
        # Nothing of our environment: what the agent could read of this process must hold no secret.
        loader = {name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                pass_fds=[theirs.fileno()],
                env=loader,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._requests, self._owner = ours, os.getpid()
        atexit.unregister(self.close)
        atexit.register(self.close)

    def close(self) -> None:
        """End the process; agents still running are ended by their supervisors when their launches are closed."""
        if self._requests is None or self._process is None or self._owner != os.getpid():
            return
        self._requests.close()
        self._requests = None
        try:
            self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()


LAUNCHER = Launcher()
"""One for this process: a launcher of its own for each runner would start a process each."""
