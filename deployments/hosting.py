"""What `up` hosts on this machine: which standing processes there are, and the environment they run in."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from deployments.server_address import ServerAddress
from deployments.standing_processes import (
    Standing,
    StandingProcess,
    ensure_standing,
    find_standing,
    processes_folder,
    stop_orphans,
    stop_standing,
)
from flows.flow_names import WORK_POOL
from parallel_workers.locations import PAGES_VARIABLE, DataFolder

PREFECT_WORKER = "prefect-worker"
WATCHER = "watcher"

HEARTBEAT_SECONDS = 30
"""How often a run says that it lives: Prefect's minimum."""

_QUERY_SECONDS = 2
_WORKER_STOP_SECONDS = 45.0  # Prefect gives a flow run's process 30 s of them
_WATCHER_STOP_SECONDS = 15.0


def prefect_worker() -> StandingProcess:
    """A Prefect worker that carries out flow runs as processes of this machine."""
    arguments = ("worker", "start", "--pool", WORK_POOL, "--type", "process", "--name", worker_name())
    return StandingProcess(PREFECT_WORKER, "prefect", arguments)


def worker_name() -> str:
    """The name under which this machine's Prefect worker is listed: the same each time, another on each machine."""
    return f"parallel-workers on {socket.gethostname()}"


def watcher(poll_seconds: float) -> StandingProcess:
    """The standing watcher of pull requests, looking every `poll_seconds`."""
    return StandingProcess(WATCHER, "parallel_workers.cli.main", ("loop", "--poll-interval", f"{poll_seconds:g}"))


def process_settings(address: ServerAddress, data: DataFolder) -> dict[str, str]:
    """What is set for the standing processes over the user's environment."""
    settings = {
        "PREFECT_API_URL": address.api_url,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_WORKER_QUERY_SECONDS": str(_QUERY_SECONDS),
        "PYTHONUNBUFFERED": "1",
    }
    if address.pid is not None:  # the embedded server
        settings[PAGES_VARIABLE] = f"{address.ui_url}/pulls"
        settings["PREFECT_HOME"] = os.environ.get("PREFECT_HOME") or str(data.root / "prefect")
    return settings


def process_environment(environment: Mapping[str, str], address: ServerAddress, data: DataFolder) -> dict[str, str]:
    """The user's environment, because git needs its credentials, with our settings and our packages found first."""
    package_root = str(Path(__file__).resolve().parent.parent)
    python_path = [package_root, *(part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part)]
    return {
        **environment,
        **process_settings(address, data),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(python_path)),
    }


def ensure_hosted(
    address: ServerAddress, data: DataFolder, environment: Mapping[str, str], poll_seconds: float
) -> list[Standing]:
    """Prefect worker and watcher, each started unless it runs; `poll_seconds` is the watcher's interval.

    Raises:
        ServerError: one does not come up, or works for another server.
    """
    folder = processes_folder(data)
    given = process_environment(environment, address, data)
    return [ensure_standing(folder, wanted, given) for wanted in (prefect_worker(), watcher(poll_seconds))]


def stop_hosted(data: DataFolder) -> dict[str, bool]:
    """Stop watcher and Prefect worker with the flow runs it carries out; which of the two there were."""
    folder = processes_folder(data)
    stopped = {
        "watcher": stop_standing(folder, WATCHER, _WATCHER_STOP_SECONDS),
        "prefect_worker": stop_standing(folder, PREFECT_WORKER, _WORKER_STOP_SECONDS),
    }
    stop_orphans(folder, _WATCHER_STOP_SECONDS)
    return stopped


def is_hosted(data: DataFolder) -> bool:
    """Whether a Prefect worker or a watcher of this data folder runs."""
    folder = processes_folder(data)
    return any(find_standing(folder, name) is not None for name in (PREFECT_WORKER, WATCHER))
