"""Running a worker in this process: its one flow run, made or taken up again."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Pending, Scheduled

from flows.dead_engines import SEAT, seat
from flows.flow_runs import NewRun, create_flow_run, for_this_process
from flows.implement_task import implement_task
from flows.local_engine import LocalEngine
from flows.prefect_clients import prefect_client
from flows.prefect_internals import run_in_this_process
from flows.wiring import workplace_of
from flows.worker_states import labels_of, tags_of, to_record, worker_state
from flows.worker_turn import hold_turn
from parallel_workers import messages
from parallel_workers.crash_points import reach
from parallel_workers.errors import ForgeError, StoppedError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import TaskOutcome, WorkerRecord
from parallel_workers.spec import TaskOrder

_WITH_A_PROCESS = frozenset({StateType.RUNNING, StateType.PENDING, StateType.CANCELLING})
_ENDED_BY_ITS_ENGINE = frozenset({StateType.FAILED, StateType.CANCELLED, StateType.CANCELLING})


async def run_worker(engine: LocalEngine, order: TaskOrder) -> TaskOutcome:
    """Run a worker to its end in this process and tell how it ended; a finished one is left as it is.

    While another engine on this machine runs it, this one waits and then tells how that ended. One that was killed has
    not ended it: then this one goes on with it.
    """
    waited = asyncio.Event()

    def say_waiting() -> None:
        waited.set()
        engine.state_changed(order, WorkerState.UNKNOWN, "another engine on this machine is running it")

    try:
        async with hold_turn(engine, order, say_waiting):
            return await _run_held(engine, order, waited=waited.is_set())
    except StoppedError as stopped:
        return TaskOutcome(order.task.id, order.worker, "cancelled", str(stopped))


async def _run_held(engine: LocalEngine, order: TaskOrder, *, waited: bool) -> TaskOutcome:
    async with prefect_client() as client:
        run = await ensure_run(client, order)
        reach("worker.run-created")
        if run.state is not None and run.state.type is StateType.COMPLETED:
            return await _already_done(order, run)
        if waited and run.state is not None and run.state.type in _ENDED_BY_ITS_ENGINE:
            return outcome_of(order, run)
        if run.deployment_id is not None and run.state is not None and run.state.type in _WITH_A_PROCESS:
            reason = f"a Prefect worker has it ({run.state.name}); wait for it, or end it: parallel-workers terminate"
            return TaskOutcome(order.task.id, order.worker, "failed", f"{reason} {order.worker}")
        if run.run_count:
            engine.session(order).is_taken_up = True
            engine.state_changed(order, WorkerState.UNKNOWN, messages.taken_up_again(run.state_name or ""))
        await _make_runnable(client, order, run)
    return await _run_to_end(engine, order, run)


async def ensure_run(client: PrefectClient, order: TaskOrder) -> FlowRun:
    """The worker's one flow run: its idempotency key is the worker id."""
    new = NewRun(
        name=messages.run_name(order.task),
        parameters={"order": order.model_dump(mode="json")},
        tags=tags_of(order),
        labels={**labels_of(order, correlation_id=uuid.uuid4().hex[:16]), SEAT: seat()},
        idempotency_key=order.worker,
    )
    return await create_flow_run(client, implement_task, new)


async def _make_runnable(client: PrefectClient, order: TaskOrder, run: FlowRun) -> None:
    """Give a run from before the order as it is now; put one that ended, or was left behind, back to Scheduled."""
    now = order.model_dump(mode="json")
    facts = {**labels_of(order, correlation_id=to_record(run).correlation_id), SEAT: seat()}
    if run.parameters.get("order") != now:
        await client.update_flow_run(run.id, parameters={"order": now}, tags=tags_of(order))
        run.parameters = {"order": now}
    if facts.items() - run.labels.items():  # of an earlier order, or damaged
        await client.update_flow_run_labels(run.id, dict(facts))
    if run.state is None or run.state.type not in {StateType.PENDING, _takes_from(run)}:
        again: State[Any] = Scheduled(message="taken up again")
        if run.deployment_id is not None:
            again = Pending(message="taken up in the foreground")
        await client.set_flow_run_state(run.id, again, force=True)
        run.state = again


def _takes_from(run: FlowRun) -> StateType:
    """A deployed run must not stay Scheduled: a Prefect worker would take it too."""
    return StateType.PENDING if run.deployment_id is not None else StateType.SCHEDULED


async def _run_to_end(engine: LocalEngine, order: TaskOrder, run: FlowRun) -> TaskOutcome:
    session, begun = engine.session(order), time.monotonic()
    session.flow_run_id = run.id
    flow = await engine.prepared(implement_task, for_this_process)
    reach("worker.made-runnable")
    state = await run_in_this_process(flow, run, {"order": order})
    reach("worker.state-told")
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


def outcome_of(order: TaskOrder, run: FlowRun) -> TaskOutcome:
    """How a worker's flow run has ended, as the server tells it."""
    record, state = to_record(run), run.state
    return TaskOutcome(
        task_id=order.task.id,
        worker_id=order.worker,
        result=_result(state) if state is not None else "cancelled",
        reason=record.reason,
        pr_url=record.pr_url,
        seconds=run.total_run_time.total_seconds(),
        flow_run_id=record.flow_run_id,
    )


async def _already_done(order: TaskOrder, run: FlowRun) -> TaskOutcome:
    """How a worker that was done before stands now; what counts as merged must still be in the base."""
    record = to_record(run)
    merged = worker_state(run) is WorkerState.MERGED
    outcome = TaskOutcome(
        task_id=order.task.id,
        worker_id=order.worker,
        result="merged" if merged else "no_change",
        reason=record.reason,
        pr_url=record.pr_url,
        flow_run_id=record.flow_run_id,
        already_done=True,
    )
    try:
        is_there = not merged or await asyncio.to_thread(_is_in_base, order, record)
    except ForgeError as error:  # that says nothing of the merge
        return outcome._replace(result="failed", reason=f"merged before, but {error}; run it again", already_done=False)
    if not is_there:
        gone = f"was merged before as #{record.pr_number}, but that is not in {order.base_branch} now"
        return outcome._replace(result="failed", reason=f"{gone}; {_to_begin_anew(order)}", already_done=False)
    if run.parameters.get("order", {}).get("task") != order.task.model_dump(mode="json"):
        note = f"the spec has changed since then; {_to_begin_anew(order)}"
        return outcome._replace(reason=f"{record.reason}; {note}")
    return outcome


def _is_in_base(order: TaskOrder, record: WorkerRecord) -> bool:
    forge = workplace_of(order).forge
    try:
        return record.pr_number is not None and forge.is_content_in_base(forge.fetch_pull_request(record.pr_number))
    except ForgeError as error:
        if error.transient:
            raise
        return False


def _to_begin_anew(order: TaskOrder) -> str:
    return f"to do it again: parallel-workers state remove {order.worker}"
