"""Waits until the Prefect worker that was just started has reported to the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from prefect.client.orchestration import PrefectClient, get_client

from deployments.hosting import PREFECT_WORKER, worker_name
from deployments.standing_processes import Standing, explain, find_standing, processes_folder
from flows.flow_names import WORK_POOL
from parallel_workers.errors import ServerError
from parallel_workers.locations import DataFolder

_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.3


async def wait_until_online(data: DataFolder, processes: Sequence[Standing]) -> None:
    """Return once the Prefect worker has polled; at once when it was not started just now.

    Raises:
        ServerError: a process that was just started has ended, or the Prefect worker does not report in time.
    """
    folder = processes_folder(data)
    started = [process.name for process in processes if process.started]
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    async with get_client() as client:
        while PREFECT_WORKER in started and not await _has_reported(client, data):
            for name in started:
                if find_standing(folder, name) is None:
                    raise ServerError(explain(folder, name, "ended"))
            if time.monotonic() > deadline:
                raise ServerError(explain(folder, PREFECT_WORKER, f"was not heard of within {_TIMEOUT_SECONDS:.0f} s"))
            await asyncio.sleep(_POLL_SECONDS)


async def _has_reported(client: PrefectClient, data: DataFolder) -> bool:
    record = find_standing(processes_folder(data), PREFECT_WORKER)
    if record is None:
        return False
    since = datetime.fromtimestamp(record.process_started_at, UTC)
    known = await client.read_workers_for_work_pool(WORK_POOL)
    return any(each.name == worker_name() and (each.last_heartbeat_time or since) > since for each in known)
