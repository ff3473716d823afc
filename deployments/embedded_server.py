"""The embedded Prefect server: found when it runs, started when it does not, stopped on request.

Nothing here imports Prefect, so a command can ask at once; the server itself is `deployments.server_process`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from deployments import server_lock, server_log
from deployments.configured_server import find_configured_server
from deployments.server_address import ServerAddress, find_process, find_running, remove_record
from deployments.server_settings import EXIT_OCCUPIED, process_environment
from parallel_workers.errors import ServerError
from parallel_workers.locations import DataFolder, data_folder

__all__ = [
    "ServerAddress",
    "StartingServer",
    "begin_server",
    "ensure_server",
    "find_configured_server",
    "find_server",
    "stop_server",
]

START_TIMEOUT_SECONDS = 90.0
_STOP_TIMEOUT_SECONDS = 10.0
_POLL_SECONDS = 0.02


class StartingServer:
    """A server that is on its way, or there already. Made by `begin_server`."""

    def __init__(self, folder: DataFolder, address: ServerAddress | None = None) -> None:
        self._folder = folder.server
        self._address = address
        self._process: subprocess.Popen[bytes] | None = None
        if address is None:
            self._ensure_process()

    @property
    def is_ready(self) -> bool:
        """Whether `wait_ready` answers at once."""
        return self._look() is not None

    def wait_ready(self, timeout: float = START_TIMEOUT_SECONDS) -> ServerAddress:
        """Wait, at most `timeout` seconds, until the server answers.

        Raises:
            ServerError: it ended or did not answer in time; carries the last lines of its log.
        """
        deadline = time.monotonic() + timeout
        while (address := self._look()) is None:
            if time.monotonic() > deadline:
                raise ServerError(self._explain(f"did not answer within {timeout:.0f} s"))
            time.sleep(_POLL_SECONDS)
        return address

    def _look(self) -> ServerAddress | None:
        if self._address is None:
            record = find_running(self._folder)
            if record is None:
                self._ensure_process()
            else:
                ours = self._process is not None and record.pid == self._process.pid
                self._address = record.address(started=ours)
        return self._address

    def _ensure_process(self) -> None:
        """Start the server's process unless there is one: of another command on its way up, or of one on its way out.

        Should two commands start one in the same instant, the lock sends one of the two away.
        """
        code = self._process.poll() if self._process else EXIT_OCCUPIED
        if code is None:
            return
        if code != EXIT_OCCUPIED:
            raise ServerError(self._explain(f"ended with code {code}"))
        if not server_lock.is_held(self._folder):
            self._process = _spawn(self._folder)

    def _explain(self, what: str) -> str:
        said = "\n".join(f"  {line}" for line in server_log.last_lines(self._folder)) or "  (nothing)"
        return f"the embedded Prefect server {what}; its log {server_log.log_file(self._folder)} ends with:\n{said}"


def begin_server(folder: DataFolder | None = None) -> StartingServer:
    """Find or spawn the server and return at once: a command can import Prefect while the server comes up."""
    folder = folder or data_folder()
    configured = find_configured_server()
    if configured:
        return StartingServer(folder, ServerAddress(configured, configured.removesuffix("/api")))
    return StartingServer(folder, find_server(folder))


def ensure_server(on_wait: Callable[[], None] | None = None, *, folder: DataFolder | None = None) -> ServerAddress:
    """The server to use: the configured one, else the embedded one, started if need be.

    `on_wait` is called once when there is something to wait for.

    Raises:
        ServerError: the embedded server does not come up.
    """
    server = begin_server(folder)
    if on_wait is not None and not server.is_ready:
        on_wait()
    return server.wait_ready()


def find_server(folder: DataFolder | None = None) -> ServerAddress | None:
    """The embedded server of this data folder if it runs; starts nothing."""
    record = find_running((folder or data_folder()).server)
    return record.address() if record else None


def stop_server(folder: DataFolder | None = None) -> bool:
    """Stop the embedded server of this data folder, ready or not, and wait until it is gone. False: there is none."""
    server_folder = (folder or data_folder()).server
    record = server_lock.find_holder(server_folder)
    process = find_process(record) if record else None
    if record is None or process is None:
        return False
    try:
        process.terminate()
        process.wait(_STOP_TIMEOUT_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(_STOP_TIMEOUT_SECONDS)
    except psutil.NoSuchProcess:
        pass
    remove_record(server_folder, record.pid)
    return True


def _spawn(server_folder: Path) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own: a Ctrl-C in the terminal is not meant for it."""
    server_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    package_root = Path(__file__).resolve().parent.parent
    with server_log.log_file(server_folder).open("ab") as log:
        return subprocess.Popen(
            # -P: the folder it starts in must not shadow a module.
            [sys.executable, "-P", "-m", "deployments.server_process", str(server_folder)],
            env=process_environment(os.environ, package_root),
            cwd=server_folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
