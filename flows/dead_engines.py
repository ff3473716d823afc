"""Runs that an engine which was killed has left RUNNING on the server: put back to where they can run again.

Prefect cannot tell such a run from a busy one, unless a Prefect worker had started it (`stranded_runs`). Here the
operating system tells: it lets go of the locks that an engine holds on its batch and its workers. A run says where its
locks are, because who looks from elsewhere would find none.
"""

from __future__ import annotations

import asyncio
import platform
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled, Crashed

from flows.flow_names import LABEL_PREFIX, PRODUCT_TAG
from flows.worker_lock import is_held, worker_lock
from flows.worker_states import worker_state
from parallel_workers.lifecycle import WorkerState
from parallel_workers.locations import data_folder

SEAT = f"{LABEL_PREFIX}seat"
_ENGINE = f"{LABEL_PREFIX}engine"
_WORKER = f"{LABEL_PREFIX}worker_id"
_ALIVE = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
_KILLED = "the engine that ran it was killed; run the batch again to go on"
_PAGE = 200
_AT_ONCE = 8


def seat() -> str:
    """Where the locks of this process are: this machine, and its data folder there."""
    return f"{platform.node()}:{data_folder().root}"


@contextmanager
def engine_labels() -> Iterator[dict[str, str]]:
    """Labels for the run of a batch. While inside, they say that its engine lives."""
    token = f"engine-{uuid.uuid4().hex}"
    lock = worker_lock(token)
    with lock.acquire(timeout=0):
        try:
            yield {_ENGINE: token, SEAT: seat()}
        finally:
            _forget(token)


async def put_back_dead(client: PrefectClient) -> list[FlowRun]:
    """Set what no engine runs any more to CRASHED, from which it can be run again; those runs, as they were.

    A pull request that waits is left as it is: `loop` sees it through. So is what runs at another seat.
    """
    dead = [run for run in await _read_alive(client) if _is_dead(run)]
    room = asyncio.Semaphore(_AT_ONCE)
    await asyncio.gather(*(_put_back(client, run, room) for run in dead))
    return dead


async def _put_back(client: PrefectClient, run: FlowRun, room: asyncio.Semaphore) -> None:
    cancelled = run.state is not None and run.state.type is StateType.CANCELLING
    ended: State[object] = Cancelled(message=_KILLED) if cancelled else Crashed(message=_KILLED)
    async with room:
        await client.set_flow_run_state(run.id, ended, force=True)
    if token := run.labels.get(_ENGINE):
        _forget(str(token))


def _forget(token: str) -> None:
    """Nobody asks for an engine's lock again."""
    Path(worker_lock(token).lock_file).unlink(missing_ok=True)


def _is_dead(run: FlowRun) -> bool:
    if run.labels.get(SEAT) != seat() or worker_state(run) is WorkerState.PR_OPEN:
        return False
    lock = run.labels.get(_ENGINE) or run.labels.get(_WORKER)
    return lock is not None and not is_held(str(lock))


async def _read_alive(client: PrefectClient) -> list[FlowRun]:
    """Every run of ours that counts as alive and that no Prefect worker has started."""
    chosen = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[PRODUCT_TAG]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_ALIVE)),
        deployment_id=FlowRunFilterDeploymentId(is_null_=True),
    )
    runs: list[FlowRun] = []
    while True:
        page = await client.read_flow_runs(flow_run_filter=chosen, limit=_PAGE, offset=len(runs))
        runs += page
        if len(page) < _PAGE:
            return runs
