"""Worker state on Prefect: how a worker's flow run is made, named, labelled, moved and found.

The Prefect server is the only store of worker state (docs/architecture.md, Where state lives). A worker is
exactly one flow run of `implement-task`: its idempotency key is the worker id, so the server itself refuses
a second one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from difflib import get_close_matches
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort, LogSort
from prefect.context import FlowRunContext
from prefect.states import Scheduled

from flows.flow_names import FORGE_PAUSE, IMPLEMENT_TASK, LABEL_PREFIX, PRODUCT_TAG
from flows.prefect_clients import prefect_client
from flows.worker_lock import is_held
from parallel_workers.errors import ParallelWorkersError, TransitionError, UsageError
from parallel_workers.lifecycle import WorkerState, ensure_transition
from parallel_workers.progress import WorkerRecord
from parallel_workers.spec import TaskOrder

_PAGE = 200

_STATE_TYPES = {
    WorkerState.NEEDS_INIT: StateType.RUNNING,
    WorkerState.WORKING: StateType.RUNNING,
    WorkerState.PR_OPEN: StateType.RUNNING,
    WorkerState.MERGED: StateType.COMPLETED,
}


def tags_of(order: TaskOrder) -> list[str]:
    """Tags for filtering in the UI."""
    return [PRODUCT_TAG, f"project:{order.project}", f"batch:{order.batch}", f"agent:{order.task.agent}"]


def labels_of(order: TaskOrder, correlation_id: str) -> dict[str, str]:
    """Machine facts known before the run begins, as flow-run labels."""
    facts = {
        "worker_id": order.worker,
        "task_id": order.task.id,
        "branch": order.branch,
        "base_branch": order.base_branch,
        "worktree": order.worktree,
        "repository": order.repository,
        "project": order.project,
        "agent": order.task.agent,
        "batch": order.batch,
        "correlation_id": correlation_id,
    }
    return {LABEL_PREFIX + name: value for name, value in facts.items()}


async def enter_state(state: WorkerState, reason: str) -> None:
    """Set the worker state of the flow run this is called in."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    async with prefect_client() as client:
        await client.set_flow_run_state(context.flow_run.id, prefect_state(state, reason))


async def record_facts(**facts: str | int) -> None:
    """Add machine facts (`head_sha`, `pr_number` …) to the labels of the flow run this is called in."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    async with prefect_client() as client:
        await client.update_flow_run_labels(
            context.flow_run.id, {LABEL_PREFIX + name: value for name, value in facts.items()}
        )


def prefect_state(state: WorkerState, reason: str) -> State[object]:
    """The Prefect state that stands for a worker state; UNKNOWN is 'scheduled to run again'."""
    if state is WorkerState.UNKNOWN:
        return Scheduled(name="UNKNOWN", message=reason)
    return State(type=_STATE_TYPES[state], name=state.value, message=reason)


def worker_state(run: FlowRun) -> WorkerState:
    """The worker state of a flow run: its state's name while that is one of ours and fits its type."""
    name = (run.state and run.state.name) or ""
    if run.state is None or name not in WorkerState.__members__:
        return WorkerState.UNKNOWN
    if run.state.type is StateType.PAUSED and name == WorkerState.PR_OPEN:
        return WorkerState.PR_OPEN
    state = WorkerState(name)
    return state if _STATE_TYPES.get(state) is run.state.type else WorkerState.UNKNOWN


def to_record(run: FlowRun) -> WorkerRecord:
    """What `list` and `get` tell about a worker's flow run."""
    facts: Mapping[str, object] = {
        name.removeprefix(LABEL_PREFIX): value for name, value in run.labels.items() if name.startswith(LABEL_PREFIX)
    }

    def text(name: str) -> str:
        return str(facts.get(name, ""))

    number = text("pr_number")
    changed = run.state.timestamp if run.state else run.updated
    return WorkerRecord(
        worker_id=text("worker_id") or _worker_of_key(run),
        task_id=text("task_id"),
        state=worker_state(run),
        reason=_reason(run),
        agent=text("agent"),
        branch=text("branch"),
        base_branch=text("base_branch"),
        worktree=text("worktree"),
        pr_number=int(number) if number.isdecimal() else None,
        pr_url=text("pr_url") or None,
        flow_run_id=str(run.id),
        correlation_id=text("correlation_id"),
        created_at=run.created.isoformat() if run.created else "",
        updated_at=changed.isoformat() if changed else "",
        project=text("project"),
        batch=text("batch"),
        prefect_state=run.state.name if run.state and run.state.name else "",
        repository=text("repository"),
    )


def _reason(run: FlowRun) -> str:
    """What its state says; of a run that waits without a process first that its forge is not asked at the moment."""
    said = (run.state.message or "") if run.state else ""
    is_suspended = run.state is not None and run.state.type is StateType.PAUSED
    pause = str(run.labels.get(FORGE_PAUSE, "")) if is_suspended else ""
    return "; ".join(part for part in (pause, said) if part)


def _worker_of_key(run: FlowRun) -> str:
    """The idempotency key is the worker's id, too: a run whose labels were damaged stays within reach."""
    key = run.idempotency_key or ""
    return key if key.startswith("worker-") else ""


async def read_runs(
    client: PrefectClient, *tags: str, state_names: Sequence[str] = (), state_types: Sequence[StateType] = ()
) -> list[FlowRun]:
    """Every worker's flow run that carries all `tags`, in a state of these names or types if any, oldest first."""
    runs: list[FlowRun] = []
    state = FlowRunFilterState(
        name=FlowRunFilterStateName(any_=list(state_names)) if state_names else None,
        type=FlowRunFilterStateType(any_=list(state_types)) if state_types else None,
    )
    chosen = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[PRODUCT_TAG, *tags]), state=state if state_names or state_types else None
    )
    while True:
        page = await client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[IMPLEMENT_TASK])),
            flow_run_filter=chosen,
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=_PAGE,
            offset=len(runs),
        )
        runs += page
        if len(page) < _PAGE:
            return runs


async def read_runs_by_id(client: PrefectClient, ids: list[UUID]) -> list[FlowRun]:
    """The flow runs with these ids, in one request."""
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=ids))
    return await client.read_flow_runs(flow_run_filter=chosen, limit=_PAGE)


async def list_workers(
    *, state: WorkerState | None = None, project: str | None = None, batch: str | None = None
) -> tuple[WorkerRecord, ...]:
    """Workers, oldest first, by state, project or batch."""
    tags = [f"{kind}:{name}" for kind, name in (("project", project), ("batch", batch)) if name]
    async with prefect_client() as client:
        records = [to_record(run) for run in await read_runs(client, *tags)]
    return tuple(record for record in records if state in {None, record.state})


async def find_run(client: PrefectClient, worker: str) -> FlowRun:
    """The flow run of a worker, named by worker id, or by task id when only one worker has it.

    Raises:
        UsageError: there is none, or more than one; names the nearest.
    """
    runs = await read_runs(client)
    named = {run.id: to_record(run) for run in runs}
    found = [run for run in runs if worker in {named[run.id].worker_id, named[run.id].task_id}]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(named[run.id].worker_id for run in found)
        raise UsageError(f"{worker} is the task of several workers; name one: {ids}")
    known = [name for record in named.values() for name in (record.worker_id, record.task_id)]
    near = get_close_matches(worker, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; see: parallel-workers list"
    raise UsageError(f"no worker {worker}{hint}")


async def get_worker(worker: str) -> WorkerRecord:
    """One worker, by worker id or unique task id. Raises UsageError when there is none."""
    async with prefect_client() as client:
        return to_record(await find_run(client, worker))


async def set_worker_state(worker: str, state: WorkerState, reason: str) -> WorkerRecord:
    """Set a worker's state as the lifecycle allows; UNKNOWN is allowed from everywhere and makes it runnable.

    Raises:
        TransitionError: the lifecycle does not allow it.
    """
    async with prefect_client() as client:
        run = await find_run(client, worker)
        if state is not WorkerState.UNKNOWN or worker_state(run) is WorkerState.MERGED:
            ensure_transition(worker_state(run), state)
        return await _move(client, run, state, reason)


async def transition_worker(worker: str, origin: WorkerState, target: WorkerState) -> WorkerRecord:
    """Move a worker from `origin` to `target`.

    Raises:
        TransitionError: it is not in `origin`, or the lifecycle does not allow the change.
    """
    async with prefect_client() as client:
        run = await find_run(client, worker)
        now = worker_state(run)
        if now is not origin:
            raise TransitionError(f"{worker} is in {now}, not in {origin}")
        ensure_transition(origin, target)
        return await _move(client, run, target, f"{origin} → {target} by hand")


async def _move(client: PrefectClient, run: FlowRun, state: WorkerState, reason: str) -> WorkerRecord:
    _refuse_live(to_record(run))
    await client.set_flow_run_state(run.id, prefect_state(state, reason), force=True)
    return to_record(await client.read_flow_run(run.id))


async def remove_worker(worker: str) -> WorkerRecord:
    """Forget a worker: delete its flow run. Worktree, branch and pull request stay.

    Raises:
        ParallelWorkersError: a live engine runs it; terminate it first.
    """
    async with prefect_client() as client:
        run = await find_run(client, worker)
        record = to_record(run)
        _refuse_live(record)
        await client.delete_flow_run(run.id)
        return record


def _refuse_live(record: WorkerRecord) -> None:
    """What a live engine runs is not changed under its hands."""
    if is_held(record.worker_id):
        raise ParallelWorkersError(
            f"an engine is running {record.worker_id}; first: parallel-workers terminate {record.worker_id}"
        )


async def read_worker_logs(worker: str, *, follow: bool = False) -> AsyncIterator[str]:
    """The log lines of a worker, oldest first; with `follow`, until its run has ended."""
    async with prefect_client() as client:
        run = await find_run(client, worker)
        chosen = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
        seen = 0
        while True:
            page = await client.read_logs(chosen, limit=_PAGE, offset=seen, sort=LogSort.TIMESTAMP_ASC)
            seen += len(page)
            for line in page:
                yield f"{line.timestamp:%H:%M:%S} {line.message}"
            if len(page) == _PAGE:
                continue
            ended = run.state is not None and run.state.is_final()
            if not follow or ended:
                return
            await asyncio.sleep(1.0)
            run = await client.read_flow_run(run.id)
