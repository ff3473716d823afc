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
from uuid import UUID

from filelock import Timeout
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

    async def put_back(run: FlowRun) -> bool:
        async with room:
            return await _put_back(client, run.id)

    was_put_back = await asyncio.gather(*(put_back(run) for run in dead))
    return [run for run, done in zip(dead, was_put_back, strict=True) if done]


async def find_dead_batches(client: PrefectClient) -> list[FlowRun]:
    """The runs of batches among them; nothing is changed."""
    dead = {run.id for run in await _read_alive(client) if _ENGINE in run.labels and _is_dead(run)}
    # one that came to its end in between has let go of its lock, and is not alive at a second look
    return [run for run in await _read_alive(client) if run.id in dead] if dead else []


async def put_back_batch(client: PrefectClient, run_id: str) -> bool:
    """As `put_back_dead`, for one batch's run; False when it is not dead, or not alive, by now."""
    return await _put_back(client, UUID(run_id))


async def _put_back(client: PrefectClient, run_id: UUID) -> bool:
    """Looks once more under the lock: an engine lets go of it after it has told the server of its end."""
    lock = _lock_of(await client.read_flow_run(run_id))
    try:
        with worker_lock(lock).acquire(timeout=0):
            run = await client.read_flow_run(run_id)
            if run.state is None or run.state.type not in _ALIVE:
                return False
            cancelled = run.state.type is StateType.CANCELLING
            ended: State[object] = Cancelled(message=_KILLED) if cancelled else Crashed(message=_KILLED)
            await client.set_flow_run_state(run.id, ended, force=True)
    except Timeout:
        return False
    if _ENGINE in run.labels:
        _forget(lock)
    return True


def _forget(token: str) -> None:
    """Nobody asks for an engine's lock again."""
    Path(worker_lock(token).lock_file).unlink(missing_ok=True)


def _is_dead(run: FlowRun) -> bool:
    if run.labels.get(SEAT) != seat() or worker_state(run) is WorkerState.PR_OPEN:
        return False
    lock = _lock_of(run)
    return bool(lock) and not is_held(lock)


def _lock_of(run: FlowRun) -> str:
    """What the lock that its engine holds is called; '' when that is not known."""
    return str(run.labels.get(_ENGINE) or run.labels.get(_WORKER) or "")


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
