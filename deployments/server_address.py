"""Where the embedded server of a data folder is, and whether it still is. Imports no Prefect: it has to be quick."""

from __future__ import annotations

import http.client
import json
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from parallel_workers.adapters.agents.process_tree import boot_id, read_process

_CLOCK_TOLERANCE_SECONDS = 2.0  # where only the wall clock tells when a process began
_HEALTH_TIMEOUT_SECONDS = 5.0  # a server busy with a burst of runs answers late; a dead one refuses at once


class ServerAddress(NamedTuple):
    """How to reach a Prefect server.

    `started`: this call started it. `pid` is None for a server that is not ours.
    """

    api_url: str
    ui_url: str
    started: bool = False
    pid: int | None = None


class ServerRecord(NamedTuple):
    """Which process serves a folder, and where; `url` is '' until it does. Start time in seconds since the epoch.

    `boot` and `since_boot` tell the process from a later one with its id, also when the clock was set meanwhile, by
    which its start time seems to be another; '' where the system does not tell them.
    """

    pid: int
    process_started_at: float
    url: str
    boot: str = ""
    since_boot: float = 0.0

    def address(self, *, started: bool = False) -> ServerAddress:
        """The address as callers want it."""
        return ServerAddress(f"{self.url}/api", self.url, started, self.pid)


def address_file(server_folder: Path) -> Path:
    """The file that says where the server is; it exists from ready to stop (or to a hard kill)."""
    return server_folder / "address"


def own_record(url: str = "") -> ServerRecord:
    """The record of the process that calls this."""
    started_at, own = psutil.Process().create_time(), read_process(os.getpid())
    return ServerRecord(os.getpid(), started_at, url, boot_id(), own.started if own else 0.0)


def write_record(server_folder: Path, record: ServerRecord) -> None:
    """Write the address file at once and whole: a reader sees the old one or the new one."""
    target = address_file(server_folder)
    draft = target.with_name(f"{target.name}.{record.pid}")
    draft.write_text(record_text(record), encoding="utf-8")
    draft.replace(target)


def record_text(record: ServerRecord) -> str:
    """The record as one line of JSON."""
    return json.dumps(record._asdict()) + "\n"


def read_record(file: Path) -> ServerRecord | None:
    """The record in a file, or None when it is absent or says something else."""
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))
        record = ServerRecord(int(entry["pid"]), float(entry["process_started_at"]), str(entry["url"]))
        return record._replace(boot=str(entry.get("boot", "")), since_boot=float(entry.get("since_boot", 0.0)))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_record(server_folder: Path, pid: int) -> None:
    """Remove the address file if it is still that of process `pid`."""
    record = read_record(address_file(server_folder))
    if record is not None and record.pid == pid:
        address_file(server_folder).unlink(missing_ok=True)


def find_process(record: ServerRecord) -> psutil.Process | None:
    """The server's process, or None when it ended, whoever has its process id now."""
    try:
        process = psutil.Process(record.pid)
        return process if _is_same(process, record) and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _is_same(process: psutil.Process, record: ServerRecord) -> bool:
    if record.boot:
        now = read_process(process.pid)
        return now is not None and (boot_id(), now.started) == (record.boot, record.since_boot)
    return abs(process.create_time() - record.process_started_at) <= _CLOCK_TOLERANCE_SECONDS


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers at `url` (without `/api`)."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_HEALTH_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/api/health")
        answer = connection.getresponse()
        return answer.status == http.client.OK and answer.read(16) == b"true"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def find_running(server_folder: Path) -> ServerRecord | None:
    """The record of a server that lives and answers, or None."""
    record = read_record(address_file(server_folder))
    if record is None or find_process(record) is None or not is_healthy(record.url):
        return None
    return record
