"""Removes what is safe to remove of workers that have ended, and ends workers on request."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import NamedTuple

from filelock import Timeout
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelled, Cancelling

from flows.flow_names import CLEAN_UP_WORKERS
from flows.prefect_clients import prefect_client
from flows.wiring import open_workplace
from flows.worker_lock import worker_lock
from flows.worker_states import find_run, list_workers, to_record
from parallel_workers.adapters.agents.process_tree import end_tagged
from parallel_workers.errors import ParallelWorkersError, UnsavedWorkError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import WorkerRecord
from parallel_workers.spec import ForgeKind

TERMINATE_SECONDS = 30.0
_ENDED = (WorkerState.MERGED, WorkerState.UNKNOWN)


class CleanedUp(NamedTuple):
    """What came of cleaning up behind one worker."""

    worker_id: str
    task_id: str
    removed: bool
    reason: str


@flow(name=CLEAN_UP_WORKERS)
async def clean_up_workers(states: tuple[WorkerState, ...] = _ENDED, project: str | None = None) -> list[CleanedUp]:
    """Remove the worktrees of workers in `states` that nobody runs; branches with commits stay.

    Args:
        states: Worker states that count as ended.
        project: Only workers of this project. Default: of all.
    """
    cleaned = await clean_up(states, project)
    for each in cleaned:
        get_run_logger().info("%s %s: %s", each.worker_id, each.task_id, each.reason)
    return list(cleaned)


async def clean_up(states: tuple[WorkerState, ...], project: str | None = None) -> tuple[CleanedUp, ...]:
    """Remove worktrees of workers in `states`: only registered ones, only without unsaved work, never a live one's."""
    records = [record for record in await list_workers(project=project) if record.state in states]
    return tuple([await _clean_up_one(record) for record in records])


async def _clean_up_one(record: WorkerRecord) -> CleanedUp:
    try:
        with worker_lock(record.worker_id).acquire(timeout=0):
            removed, reason = await _remove(record, force=False)
    except Timeout:
        removed, reason = False, "an engine is running it"
    except ParallelWorkersError as error:
        removed, reason = False, str(error)
    return CleanedUp(record.worker_id, record.task_id, removed, reason)


async def _remove(record: WorkerRecord, *, force: bool) -> tuple[bool, str]:
    """Whether there was a worktree to remove, and what was done."""
    return await asyncio.to_thread(_remove_worktree, record, force)


def _remove_worktree(record: WorkerRecord, force: bool) -> tuple[bool, str]:  # noqa: FBT001 - called by to_thread
    # nothing is asked of a forge here, so any will do that needs no credentials
    git = open_workplace(record.repository, ForgeKind.LOCAL).git
    worktree = Path(record.worktree).expanduser()
    if worktree.resolve() not in {each.path.resolve() for each in git.list_worktrees()}:
        return False, "nothing to remove"
    try:
        git.remove_worktree(worktree, force=force)
    except UnsavedWorkError as unsaved:
        return False, str(unsaved)
    return True, f"worktree removed; branch {record.branch} is kept"


async def terminate(worker: str, *, force: bool) -> WorkerRecord:
    """End a worker: its agent is stopped and its run cancelled. With `force` its worktree goes too, work saved first.

    Raises:
        UsageError: there is no such worker.
        ParallelWorkersError: it is merged already, or the engine that runs it does not answer.
    """
    async with prefect_client() as client:
        run = await find_run(client, worker)
        record = to_record(run)
        if record.state is WorkerState.MERGED:
            raise ParallelWorkersError(f"{record.worker_id} is merged; there is nothing to end")
        await client.set_flow_run_state(run.id, Cancelling(message="terminate"), force=True)
        await _wait_until_free(record)
        await asyncio.to_thread(end_tagged, record.worker_id)
        done = await client.read_flow_run(run.id)
        if done.state is None or not done.state.is_final():
            await client.set_flow_run_state(run.id, Cancelled(message="terminated"), force=True)
        if force:
            await _remove(record, force=True)
        ended: FlowRun = await client.read_flow_run(run.id)
        return to_record(ended)


async def _wait_until_free(record: WorkerRecord) -> None:
    """The engine that runs the worker looks for cancellation every few seconds and lets go of its lock."""
    until = time.monotonic() + TERMINATE_SECONDS
    while True:
        try:
            with worker_lock(record.worker_id).acquire(timeout=0):
                return
        except Timeout as held:
            if time.monotonic() > until:
                raise ParallelWorkersError(f"the engine that runs {record.worker_id} does not let go of it") from held
            await asyncio.sleep(0.2)
