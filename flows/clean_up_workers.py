"""Removes what is safe to remove of workers that have ended, and ends workers on request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
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
from parallel_workers.errors import ParallelWorkersError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import WorkerRecord
from parallel_workers.rescues import way_back
from parallel_workers.spec import ForgeKind

TERMINATE_SECONDS = 30.0
_ENDED = (WorkerState.MERGED, WorkerState.UNKNOWN)


class CleanedUp(NamedTuple):
    """What came of cleaning up behind one worker; `rescue_ref` has what had to be saved, if anything."""

    worker_id: str
    task_id: str
    removed: bool
    reason: str
    rescue_ref: str | None = None


class _Removal(NamedTuple):
    removed: bool
    reason: str
    rescue_ref: str | None = None


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
            done = await _remove(record, force=False)
    except Timeout:
        done = _Removal(removed=False, reason="an engine is running it")
    except (ParallelWorkersError, OSError) as error:
        done = _Removal(removed=False, reason=str(error))
    return CleanedUp(record.worker_id, record.task_id, *done)


async def _remove(record: WorkerRecord, *, force: bool) -> _Removal:
    """Whether there was a worktree to remove, and what was done."""
    return await asyncio.to_thread(_remove_worktree, record, force)


def _remove_worktree(record: WorkerRecord, force: bool) -> _Removal:  # noqa: FBT001 - called by to_thread
    # nothing is asked of a forge here, so any will do that needs no credentials
    git = open_workplace(record.repository, ForgeKind.LOCAL).git
    worktree = Path(record.worktree).expanduser()
    if worktree.resolve() not in {each.path.resolve() for each in git.list_worktrees()}:
        return _Removal(removed=False, reason="nothing to remove")
    rescue_ref = git.remove_worktree(worktree, force=force, worker=record.worker_id)
    saved = f"; its work is {way_back(rescue_ref, git.path, worktree)}" if rescue_ref else ""
    return _Removal(
        removed=True, reason=f"worktree removed; branch {record.branch} is kept{saved}", rescue_ref=rescue_ref
    )


async def terminate(
    worker: str, *, force: bool, on_removed: Callable[[str, str | None], None] | None = None
) -> WorkerRecord:
    """End a worker: its agent is stopped and its run cancelled. With `force` its worktree goes too, work saved first.

    `on_removed` is then told what was removed, and the rescue ref, if work had to be saved.

    Raises:
        UsageError: there is no such worker.
        ParallelWorkersError: it is merged already, the engine that runs it does not answer, or its worktree holds what
            cannot be saved; then the worker is ended all the same.
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
            try:
                with worker_lock(record.worker_id).acquire(timeout=0):
                    removal = await _remove(record, force=True)
            except Timeout as held:
                raise ParallelWorkersError(f"an engine runs {record.worker_id} again; its worktree is kept") from held
            # what the engine said when it ended was that the work is in the worktree
            await client.set_flow_run_state(run.id, Cancelled(message=f"terminated: {removal.reason}"), force=True)
            if on_removed is not None:
                on_removed(removal.reason, removal.rescue_ref)
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
