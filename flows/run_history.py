"""The timeline of a batch, read from the state history of its workers' flow runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType

from flows.prefect_clients import prefect_client
from flows.worker_states import to_record
from parallel_workers.spec import TaskSpec
from parallel_workers.timeline import END_PHASES, Phase, TimelineEntry, TimelineSpan

_AT_ONCE = 8
"""Requests in flight: the server has one per flow run to offer, none for many."""

_ENDS = {
    StateType.COMPLETED: Phase.NO_CHANGE,
    StateType.FAILED: Phase.FAILED,
    StateType.CRASHED: Phase.FAILED,
    StateType.CANCELLED: Phase.CANCELLED,
}


async def read_timeline(
    tasks: Sequence[TaskSpec],
    runs: Iterable[FlowRun],
    *,
    results: Mapping[str, str] | None = None,
    since: datetime | None = None,
) -> tuple[TimelineEntry, ...]:
    """One entry per task, in the given order; those without a run among `runs` have no spans.

    `results` says by task id how tasks ended; for the others it is how they stand now. What was before `since` is
    left out: a worker that was done in an earlier run of the batch then has no spans. One request per run.
    """
    by_task = {to_record(run).task_id: run for run in runs}
    wanted = [by_task[task.id] for task in tasks if task.id in by_task]
    async with prefect_client() as client:
        histories = await _read_histories(client, wanted)
    now, told = datetime.now(UTC), results or {}
    return tuple(
        TimelineEntry(
            task_id=task.id,
            result=told.get(task.id) or _standing(by_task.get(task.id)),
            dependencies=task.dependencies,
            spans=_since(spans_of(histories.get(task.id, ()), now), since),
        )
        for task in tasks
    )


async def _read_histories(client: PrefectClient, runs: Sequence[FlowRun]) -> dict[str, list[State]]:
    room = asyncio.Semaphore(_AT_ONCE)

    async def read(run: FlowRun) -> list[State]:
        async with room:
            return await client.read_flow_run_states(run.id)

    histories = await asyncio.gather(*(read(run) for run in runs))
    return {to_record(run).task_id: history for run, history in zip(runs, histories, strict=True)}


def spans_of(states: Iterable[State], now: datetime) -> tuple[TimelineSpan, ...]:
    """The spans that a flow run's states make; what has not ended yet lasts until `now`. Adjoining ones are one."""
    ordered = sorted(states, key=lambda state: state.timestamp)
    moments = [*(state.timestamp for state in ordered), now]
    spans: list[TimelineSpan] = []
    phase = Phase.WAITING
    for state, (begin, following) in zip(ordered, pairwise(moments), strict=True):
        phase = _phase(state, phase)
        end = begin if phase in END_PHASES else max(begin, following)
        if spans and spans[-1].state == phase and phase not in END_PHASES:
            spans[-1] = spans[-1]._replace(end=end)
        else:
            spans.append(TimelineSpan(phase, begin, end))
    return tuple(spans)


def _phase(state: State, before: Phase) -> Phase:
    """What a worker did in a Prefect state, given what it did `before`.

    A run that waits for its merge stays in review while Prefect suspends it, resumes it and starts its process.
    """
    name = state.name or ""
    if name in Phase.__members__ and state.type not in {StateType.FAILED, StateType.CRASHED}:
        return Phase(name)
    if state.type in _ENDS:
        return _ENDS[state.type]
    if before is Phase.PR_OPEN:
        return before
    return Phase.NEEDS_INIT if state.type is StateType.RUNNING else Phase.WAITING


def _since(spans: tuple[TimelineSpan, ...], since: datetime | None) -> tuple[TimelineSpan, ...]:
    if since is None:
        return spans
    return tuple(span._replace(begin=max(span.begin, since)) for span in spans if span.end >= since)


def _standing(run: FlowRun | None) -> str:
    """How a worker's run stands now, in the words of the batch's results where there is one."""
    if run is None or run.state is None:
        return "not begun"
    phase = _phase(run.state, Phase.WAITING)
    return (phase if phase in END_PHASES else run.state.name or phase).lower()
