"""What the Prefect server knows of workers, as `doctor` judges it; and putting back what a dead engine left."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas import OrchestrationResult
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.states import Suspended
from pydantic import ValidationError

from blocks.saved import DEFAULT_DOCUMENT
from blocks.worktree_policy import WorktreePolicy
from flows.dead_engines import find_dead_batches, put_back_batch
from flows.flow_names import LABEL_PREFIX
from flows.prefect_clients import prefect_client
from flows.stranded_runs import BY_AUTOMATION
from flows.suspension import wake
from flows.worker_lock import worker_lock
from flows.worker_states import prefect_state, read_runs, to_record, worker_state
from parallel_workers.errors import UsageError
from parallel_workers.health import BrokenRun, DeadBatch, PolicyFacts, WorkerRun
from parallel_workers.lifecycle import WorkerState
from parallel_workers.spec import AgentProfile, TaskOrder

_NEEDED_LABELS = ("worker_id", "task_id", "branch", "worktree", "repository")
_HEARTBEAT = "prefect.flow-run.heartbeat"
_LOOK_BACK = timedelta(hours=1)
_AT_ONCE = 8
_SUSPENDED_SECONDS = 600
_PUT_BACK = "its engine was gone; put back by `parallel-workers doctor --fix`"


class Here(NamedTuple):
    """What this machine knows: ids of workers that a living engine runs (`live`), and that it has run before (`known`).

    `alone`: all engines of the server are this machine's. `quiet_seconds`: since the last output, by worker.
    """

    live: Collection[str]
    alone: bool
    known: Collection[str]
    quiet_seconds: Mapping[str, float]


async def read_workers(here: Here) -> tuple[tuple[WorkerRun, ...], tuple[BrokenRun, ...]]:
    """The flow run of every worker whose id is known, and those runs that cannot be read as they should."""
    async with prefect_client() as client:
        runs = await read_runs(client)
        heard = await _read_heartbeats(client, runs)
    broken = tuple(found for run in runs if (found := find_trouble(run)) is not None)
    described = (_describe(run, here, heard.get(run.id)) for run in runs)
    return tuple(run for run in described if run.worker), broken


async def read_dead_batches() -> tuple[DeadBatch, ...]:
    """Runs of batches that count as going on and whose engine, on this machine and with this data folder, is dead."""
    async with prefect_client() as client:
        dead = await find_dead_batches(client)
    found = ((run, run.state) for run in dead)
    return tuple(
        DeadBatch(run.name, str(run.id), state.name or state.type.value, _seconds_since(state))
        for run, state in found
        if state is not None
    )


async def end_batch(run_id: str) -> bool:
    """Let such a run count as ended. False when it has ended by itself, or is run, by now."""
    async with prefect_client() as client:
        return await put_back_batch(client, run_id)


def _seconds_since(state: State[Any]) -> float:
    return max(0.0, (datetime.now(UTC) - state.timestamp).total_seconds())


def _describe(run: FlowRun, here: Here, heard_seconds: float | None) -> WorkerRun:
    record = to_record(run)
    state = run.state
    return WorkerRun(
        worker=record.worker_id,
        task=record.task_id,
        run_id=str(run.id),
        state=record.state,
        prefect_type=state.type.value if state else "",
        prefect_state=record.prefect_state,
        branch=record.branch,
        worktree=record.worktree,
        deployed=run.deployment_id is not None,
        here=here.alone or record.worker_id in here.known,
        engine_alive=record.worker_id in here.live,
        changed_seconds=_seconds_since(state) if state else 0.0,
        stall_seconds=_stall_seconds(run),
        quiet_seconds=here.quiet_seconds.get(record.worker_id),
        heard_seconds=heard_seconds,
        suspended_by_automation=_is_suspended(run),
    )


def _is_suspended(run: FlowRun) -> bool:
    state = run.state
    return state is not None and state.name == "Suspended" and (state.message or "").startswith(BY_AUTOMATION)


def _stall_seconds(run: FlowRun) -> float:
    try:
        return TaskOrder.model_validate(run.parameters.get("order")).agent.stall_timeout
    except ValidationError:
        return AgentProfile().stall_timeout


def find_trouble(run: FlowRun) -> BrokenRun | None:
    """What cannot be read of a worker's flow run: labels that every worker has, or the order it is to carry out."""
    missing = [name for name in _NEEDED_LABELS if not str(run.labels.get(LABEL_PREFIX + name, ""))]
    ended = run.state is not None and run.state.is_final()
    number = run.labels.get(f"{LABEL_PREFIX}pr_number")
    trouble = ""
    if missing:
        trouble = f"these labels are missing: {', '.join(missing)}"
    elif number is not None and not str(number).isdigit():
        trouble = f"its label pr_number is no number: {str(number)[:40]!r}"
    elif not ended:
        trouble = _trouble_of_order(run)
    return BrokenRun(str(run.id), to_record(run).worker_id, trouble, ended) if trouble else None


def _trouble_of_order(run: FlowRun) -> str:
    try:
        TaskOrder.model_validate(run.parameters.get("order"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("order", *map(str, first["loc"])))
        return f"its parameter {where} cannot be read: {first['msg']}"
    return ""


async def _read_heartbeats(client: PrefectClient, runs: Sequence[FlowRun]) -> dict[UUID, float]:
    """Seconds since the last heartbeat, for runs of deployments that count as running; others send none."""
    asked = [run for run in runs if run.deployment_id is not None and run.state and run.state.type is StateType.RUNNING]
    room = asyncio.Semaphore(_AT_ONCE)

    async def read(run: FlowRun) -> float | None:
        async with room:
            return await _heard_of(client, run.id)

    heard = await asyncio.gather(*(read(run) for run in asked))
    return {run.id: seconds for run, seconds in zip(asked, heard, strict=True) if seconds is not None}


async def _heard_of(client: PrefectClient, run_id: UUID) -> float | None:
    now = datetime.now(UTC)
    wanted = {
        "event": {"name": [_HEARTBEAT]},
        "resource": {"id": [f"prefect.flow-run.{run_id}"]},
        "occurred": {"since": (now - _LOOK_BACK).isoformat(), "until": now.isoformat()},
        "order": "DESC",
    }
    answer = await client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1})
    events = answer.json()["events"]
    if not events:
        return None
    return (now - datetime.fromisoformat(events[0]["occurred"].replace("Z", "+00:00"))).total_seconds()


async def read_policy(name: str | None) -> tuple[PolicyFacts, str]:
    """The WorktreePolicy block of that name (None: the default one), and the worktree root it gives, or '' if none."""
    shown = f"{name or DEFAULT_DOCUMENT}"
    try:
        root = (await WorktreePolicy.load_or_default(name)).resolved_root()
    except UsageError as error:
        return PolicyFacts(shown, asked=True, trouble=str(error)), ""
    return PolicyFacts(shown, asked=True), str(root)


async def put_back(run_id: str) -> str:
    """Put a stranded run back to a state in which it can run; '' when done, else why it was left.

    It is looked at once more under the worker's lock: its engine may have come back, or it may have ended.

    Raises:
        filelock.Timeout: an engine runs it.
    """
    async with prefect_client() as client:
        run = await client.read_flow_run(UUID(run_id))
        with worker_lock(to_record(run).worker_id).acquire(timeout=0):
            run = await client.read_flow_run(run.id)
            if _is_suspended(run):
                return "" if await wake(client, run.id) else "it is on its way again"
            if run.state is None or run.state.type not in {StateType.RUNNING, StateType.PENDING}:
                return f"it is {run.state.name if run.state else 'without a state'} by now"
            if worker_state(run) is WorkerState.PR_OPEN:
                return "it waits for its merge by now"
            if run.deployment_id is not None and run.state.type is StateType.RUNNING:
                return await _suspend_and_wake(client, run)
            await client.set_flow_run_state(run.id, prefect_state(WorkerState.UNKNOWN, _PUT_BACK), force=True)
    return ""


async def _suspend_and_wake(client: PrefectClient, run: FlowRun) -> str:
    """A run may have ended unseen: the server refuses to suspend what does not run, but would schedule what is done."""
    answer: OrchestrationResult[object] = await client.set_flow_run_state(
        run.id, Suspended(message=_PUT_BACK, timeout_seconds=_SUSPENDED_SECONDS), force=False
    )
    if answer.status is not SetStateStatus.ACCEPT:
        return "the server does not take it for running any more"
    return "" if await wake(client, run.id) else "it is on its way again"
