"""Running a worker in this process: its one flow run, made or taken up again."""

from __future__ import annotations

import time
import uuid
from typing import Any

from filelock import FileLock, Timeout
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.flow_engine import run_flow_async
from prefect.states import Scheduled

from flows.flow_runs import NewRun, create_flow_run, for_this_process
from flows.implement_task import implement_task
from flows.local_engine import LocalEngine
from flows.worker_states import labels_of, prefect_client, tags_of, to_record, worker_state
from parallel_workers.lifecycle import WorkerState
from parallel_workers.locations import data_folder
from parallel_workers.messages import run_name
from parallel_workers.progress import TaskOutcome
from parallel_workers.spec import TaskOrder


async def run_worker(engine: LocalEngine, order: TaskOrder) -> TaskOutcome:
    """Run a worker to its end in this process and tell how it ended; a finished one is left as it is.

    A lock file per worker, held while it runs, is what tells a live engine's worker from a dead one's:
    the operating system lets go of it when the process dies, however it dies.
    """
    lock = worker_lock(order.worker)
    try:
        with lock.acquire(timeout=0):
            async with prefect_client() as client:
                run = await ensure_run(client, order)
                if run.state is not None and run.state.type is StateType.COMPLETED:
                    return _already_done(order, run)
                await _make_runnable(client, run)
            return await _run_to_end(engine, order, run)
    except Timeout:
        return TaskOutcome(order.task.id, order.worker, "failed", "another engine on this machine is running it")


def worker_lock(worker: str) -> FileLock:
    """The lock that a live engine holds on each of its workers."""
    folder = data_folder().locks
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{worker}.lock", thread_local=False)


async def ensure_run(client: PrefectClient, order: TaskOrder) -> FlowRun:
    """The worker's one flow run: its idempotency key is the worker id."""
    new = NewRun(
        name=run_name(order.task),
        parameters={"order": order.model_dump(mode="json")},
        tags=tags_of(order),
        labels=labels_of(order, correlation_id=uuid.uuid4().hex[:16]),
        idempotency_key=order.worker,
    )
    return await create_flow_run(client, implement_task, new)


async def _make_runnable(client: PrefectClient, run: FlowRun) -> None:
    """Put a run that failed, was cancelled, or was left behind by a dead engine back to Scheduled."""
    if run.state is None or run.state.type not in {StateType.PENDING, StateType.SCHEDULED}:
        again: State[Any] = Scheduled(message="taken up again")
        await client.set_flow_run_state(run.id, again, force=True)
        run.state = again


async def _run_to_end(engine: LocalEngine, order: TaskOrder, run: FlowRun) -> TaskOutcome:
    session, begun = engine.session(order), time.monotonic()
    session.flow_run_id = run.id
    flow = await engine.prepared(implement_task, for_this_process)
    state = await run_flow_async(flow, flow_run=run, parameters={"order": order}, return_type="state")
    assert isinstance(state, State)  # noqa: S101 - what return_type="state" means
    pull_request = session.pull_request
    return TaskOutcome(
        task_id=order.task.id,
        worker_id=order.worker,
        result=_result(state),
        reason=state.message or "",
        pr_url=pull_request.url if pull_request else None,
        seconds=time.monotonic() - begun,
        flow_run_id=str(run.id),
    )


def _result(state: State[Any]) -> str:
    if state.type is StateType.COMPLETED:
        return "merged" if state.name == WorkerState.MERGED else "no_change"
    return "failed" if state.type in {StateType.FAILED, StateType.CRASHED} else "cancelled"


def _already_done(order: TaskOrder, run: FlowRun) -> TaskOutcome:
    record = to_record(run)
    changed = run.parameters.get("order", {}).get("task") != order.task.model_dump(mode="json")
    note = "; the spec has changed since then: give the task a new id to do it again" if changed else ""
    return TaskOutcome(
        task_id=order.task.id,
        worker_id=order.worker,
        result="merged" if worker_state(run) is WorkerState.MERGED else "no_change",
        reason=record.reason + note,
        pr_url=record.pr_url,
        flow_run_id=record.flow_run_id,
        already_done=True,
    )
