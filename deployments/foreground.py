"""One of the three processes of `up` in the foreground, for systemd and its like.

`python -m deployments.foreground server|prefect-worker|watcher`. It takes the same locks as `up`, so each runs once and
`up` finds what the supervisor has started. `prefect-worker` also registers everything on the server first.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deployments import hosting, server_process
from deployments.embedded_server import START_TIMEOUT_SECONDS, find_configured_server, find_server
from deployments.server_address import ServerAddress
from deployments.standing_processes import FOLDER_VARIABLE, StandingProcess, processes_folder
from parallel_workers.errors import ServerError
from parallel_workers.locations import DataFolder, data_folder

_SERVER = "server"
_POLL_VARIABLE = "PARALLEL_WORKERS_POLL_SECONDS"
_DEFAULT_POLL_SECONDS = 5.0
_LOOK_SECONDS = 0.2
_USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """Be the process named by the one argument until told to stop; its exit code."""
    data = data_folder()
    poll_seconds = float(os.environ.get(_POLL_VARIABLE) or _DEFAULT_POLL_SECONDS)
    known = {each.name: each for each in (hosting.prefect_worker(), hosting.watcher(poll_seconds))}
    name = arguments[0] if len(arguments) == 1 else ""
    if name == _SERVER:
        data.server.mkdir(parents=True, exist_ok=True, mode=0o700)
        return server_process.main([str(data.server)])
    if name not in known:
        sys.stderr.write(f"usage: python -m deployments.foreground {'|'.join((_SERVER, *known))}\n")
        return _USAGE
    address = wait_for_server()
    settings = hosting.process_environment(os.environ, address, data)
    if name == hosting.PREFECT_WORKER:
        _register(settings)
    _become(known[name], settings, data)
    return 0


def wait_for_server() -> ServerAddress:
    """The configured server, else the embedded one once it answers; it is started by somebody else.

    Raises:
        ServerError: it does not answer in time.
    """
    configured = find_configured_server()
    if configured:
        return ServerAddress(configured, configured.removesuffix("/api"))
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while (address := find_server()) is None:
        if time.monotonic() > deadline:
            raise ServerError(f"no embedded Prefect server answered within {START_TIMEOUT_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)
    return address


def _register(settings: dict[str, str]) -> None:
    """Prefect reads its settings while it is imported, which is why that happens only now."""
    os.environ.update(settings)
    from deployments.set_up import set_up

    asyncio.run(set_up())


def _become(wanted: StandingProcess, settings: dict[str, str], data: DataFolder) -> None:
    """Replace this process by the standing one; the supervisor goes on watching the same process id."""
    folder: Path = processes_folder(data)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chdir(folder)
    command = ["-P", "-m", "deployments.standing_process", str(folder), wanted.name, wanted.module, *wanted.arguments]
    os.execve(sys.executable, [sys.executable, *command], {**settings, FOLDER_VARIABLE: str(folder)})  # noqa: S606


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
