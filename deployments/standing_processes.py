"""The processes `up` starts beside the server: a Prefect worker and the watcher of pull requests.

Each is found when it runs, started when it does not, stopped on request. Nothing here imports Prefect.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

from deployments import server_lock, server_log
from deployments.server_address import ServerRecord, find_process
from deployments.server_settings import EXIT_OCCUPIED
from parallel_workers.errors import ServerError
from parallel_workers.locations import DataFolder

START_TIMEOUT_SECONDS = 30.0
FOLDER_VARIABLE = "PARALLEL_WORKERS_STARTED_BY"
"""In the environment of a standing process and of what it starts: the folder of its lock and log."""

_POLL_SECONDS = 0.05
_KILL_SECONDS = 5.0


class StandingProcess(NamedTuple):
    """What is to run: a module as `python -m` runs it, under a name that only one living process of a folder has."""

    name: str
    module: str
    arguments: tuple[str, ...]

    @property
    def command(self) -> tuple[str, ...]:
        """As one would type it after `python`."""
        return ("-m", self.module, *self.arguments)


class Standing(NamedTuple):
    """A standing process that runs; `started` by this call or found."""

    name: str
    pid: int
    started: bool
    log: str


def processes_folder(data: DataFolder) -> Path:
    """Where locks and logs of the standing processes of a data folder are."""
    return data.root / "processes"


def find_standing(folder: Path, name: str) -> ServerRecord | None:
    """The record of the living process of that name (its `url` is the API it works for); None when there is none."""
    record = server_lock.find_holder(folder, name)
    return record if record is not None and find_process(record) is not None else None


def ensure_standing(folder: Path, wanted: StandingProcess, environment: Mapping[str, str]) -> Standing:
    """The process of that name, started with `environment` unless it runs.

    Raises:
        ServerError: it does not come up, or runs for another Prefect server than `environment` names.
    """
    started: subprocess.Popen[bytes] | None = None
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while (record := find_standing(folder, wanted.name)) is None:
        code = started.poll() if started else EXIT_OCCUPIED
        if code is not None and code != EXIT_OCCUPIED:
            raise ServerError(explain(folder, wanted.name, f"ended with code {code}"))
        if time.monotonic() > deadline:
            raise ServerError(explain(folder, wanted.name, f"did not start within {START_TIMEOUT_SECONDS:.0f} s"))
        if code is not None and not server_lock.is_held(folder, wanted.name):
            started = _spawn(folder, wanted, environment)
        time.sleep(_POLL_SECONDS)
    url = environment.get("PREFECT_API_URL", "")
    if record.url != url:
        raise ServerError(
            f"a {wanted.name} (process {record.pid}) runs here for the Prefect server {record.url}, not for {url}; "
            "first: parallel-workers down"
        )
    ours = started is not None and started.pid == record.pid
    return Standing(wanted.name, record.pid, ours, str(server_log.log_file(folder, wanted.name)))


def stop_standing(folder: Path, name: str, seconds: float) -> bool:
    """Tell the process of that name to stop, wait for it and what it started, kill what is left after `seconds`.

    False: there is none.
    """
    record = find_standing(folder, name)
    process = find_process(record) if record else None
    if process is None:
        return False
    try:
        family = [process, *process.children(recursive=True)]
        process.terminate()
    except psutil.NoSuchProcess:
        return True
    _kill(_wait(family, seconds))
    return True


def stop_orphans(folder: Path, seconds: float) -> int:
    """End what standing processes of this folder left running when they were killed themselves; how many those were."""
    orphans = [process for process in psutil.process_iter() if _belongs(process, folder)]
    for orphan in orphans:
        try:
            orphan.terminate()
        except psutil.NoSuchProcess:
            continue
    _kill(_wait(orphans, seconds))
    return len(orphans)


def explain(folder: Path, name: str, what: str) -> str:
    """A message about a process that failed, with the end of its log."""
    said = "\n".join(f"  {line}" for line in server_log.last_lines(folder, name=name)) or "  (nothing)"
    return f"the {name} {what}; its log {server_log.log_file(folder, name)} ends with:\n{said}"


def _belongs(process: psutil.Process, folder: Path) -> bool:
    try:
        living = process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE
        return living and process.environ().get(FOLDER_VARIABLE) == str(folder)
    except psutil.Error:
        return False


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    _wait(processes, _KILL_SECONDS)


def _wait(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until all have ended, or `seconds`; those that live still. An ended one need not be reaped by its parent."""
    deadline = time.monotonic() + seconds
    while (alive := [process for process in processes if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return alive


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _spawn(folder: Path, wanted: StandingProcess, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start it in a session of its own: a Ctrl-C in the terminal is not meant for it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # -P: the folder it starts in must not shadow a module.
    command = [sys.executable, "-P", "-m", "deployments.standing_process", str(folder), wanted.name]
    with server_log.log_file(folder, wanted.name).open("ab") as log:
        return subprocess.Popen(
            [*command, wanted.module, *wanted.arguments],
            env={**environment, FOLDER_VARIABLE: str(folder)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
