"""Timelines read from the state history of real flow runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State, StateType

from deployments.embedded_server import ServerAddress
from flows.flow_names import LABEL_PREFIX
from flows.run_batch import RunOptions, carry_out
from flows.run_history import read_timeline, spans_of
from flows.worker_states import read_runs
from parallel_workers.spec import TaskSpec
from parallel_workers.timeline import TimelineEntry, critical_path
from tests.prefect.batches import shell_batch

MakeRepository = Callable[..., Path]
BEGIN = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)


def states(*named: tuple[StateType, str]) -> list[State[Any]]:
    """States a minute apart from each other, from BEGIN on."""
    times = (BEGIN + timedelta(minutes=minute) for minute in range(len(named)))
    return [State(type=kind, name=name, timestamp=at) for (kind, name), at in zip(named, times, strict=True)]


def minutes(history: Sequence[State[Any]], now: int = 60) -> list[tuple[str, int, int]]:
    return [
        (span.state, _minute(span.begin), _minute(span.end))
        for span in spans_of(history, BEGIN + timedelta(minutes=now))
    ]


def _minute(moment: datetime) -> int:
    return round((moment - BEGIN).total_seconds() / 60)


def test_a_run_that_is_suspended_and_resumed_stays_in_review() -> None:
    history = states(
        (StateType.SCHEDULED, "Scheduled"),
        (StateType.PENDING, "Pending"),
        (StateType.RUNNING, "Running"),
        (StateType.RUNNING, "NEEDS_INIT"),
        (StateType.RUNNING, "WORKING"),
        (StateType.PAUSED, "PR_OPEN"),
        (StateType.SCHEDULED, "Resuming"),
        (StateType.PENDING, "Pending"),
        (StateType.RUNNING, "Running"),
        (StateType.COMPLETED, "MERGED"),
    )
    assert minutes(history) == [
        ("WAITING", 0, 2),
        ("NEEDS_INIT", 2, 4),
        ("WORKING", 4, 5),
        ("PR_OPEN", 5, 9),
        ("MERGED", 9, 9),
    ]


def test_a_failure_takes_no_time_and_what_is_not_over_lasts_until_now() -> None:
    history = states(
        (StateType.RUNNING, "WORKING"),
        (StateType.FAILED, "Failed"),
        (StateType.SCHEDULED, "Scheduled"),
        (StateType.RUNNING, "WORKING"),
    )
    expected = [("WORKING", 0, 1), ("FAILED", 1, 1), ("WAITING", 2, 3), ("WORKING", 3, 7)]
    assert minutes(history, now=7) == expected
    assert minutes(list(reversed(history)), now=7) == expected
    assert minutes([]) == []


async def run_with(task_id: str, *named: tuple[StateType, str]) -> FlowRun:
    @flow(name="history")
    async def history() -> None: ...

    async with get_client() as client:
        run = await client.create_flow_run(history, name=uuid4().hex)
        await client.update_flow_run_labels(run.id, {f"{LABEL_PREFIX}task_id": task_id})
        for kind, name in named:
            await client.set_flow_run_state(run.id, State(type=kind, name=name), force=True)
        return await client.read_flow_run(run.id)


async def test_entries_come_in_the_order_of_the_tasks_with_results_of_the_batch_or_as_they_stand(
    prefect_server: ServerAddress,
) -> None:
    runs = [
        await run_with("c", (StateType.RUNNING, "WORKING"), (StateType.PAUSED, "PR_OPEN")),
        await run_with("a", (StateType.RUNNING, "WORKING"), (StateType.COMPLETED, "MERGED")),
    ]
    tasks = [TaskSpec(id=name, description="x", dependencies=("a",) if name == "b" else ()) for name in "abcd"]
    entries = await read_timeline(tasks, runs, results={"b": "skipped"})
    assert [(entry.task_id, entry.result) for entry in entries] == [
        ("a", "merged"),
        ("b", "skipped"),
        ("c", "pr_open"),
        ("d", "not begun"),
    ]
    assert entries[1].dependencies == ("a",)
    assert [phases(entry) for entry in entries] == [["WORKING", "MERGED"], [], ["WORKING", "PR_OPEN"], []]
    later = await read_timeline(tasks, runs, since=datetime.now(UTC))
    assert [span.state for span in later[2].spans] == ["PR_OPEN"], "c still waits; the rest was before"
    assert later[0].spans == ()


async def test_a_real_batch_is_told_as_it_ran(
    prefect_server: ServerAddress, make_repository: MakeRepository, tmp_path: Path
) -> None:
    shell = "sleep 0.3; echo x > $PARALLEL_WORKERS_TASK_ID.txt"
    tasks: dict[str, dict[str, object]] = {"first": {"shell": shell}, "then": {"dependencies": ("first",)}}
    batch = shell_batch(make_repository(), tasks, name="told")
    outcome = await carry_out(batch, options=RunOptions(worktree_root=str(tmp_path / "trees"), poll_seconds=0.2))
    ids = {UUID(task.flow_run_id) for task in outcome.tasks}
    async with get_client() as client:
        runs = [run for run in await read_runs(client) if run.id in ids]
    first, then = entries = await read_timeline(batch.tasks, runs)
    assert [step.task_id for step in critical_path(entries)] == ["first", "then"]
    assert work_seconds(first) >= 0.3
    assert first.end is not None
    assert then.begin is not None
    assert then.begin >= first.end
    for entry in entries:
        assert phases(entry) == ["NEEDS_INIT", "WORKING", "PR_OPEN", "MERGED"]


def phases(entry: TimelineEntry) -> list[str]:
    return [span.state for span in entry.spans if span.state != "WAITING"]


def work_seconds(entry: TimelineEntry) -> float:
    return sum((span.end - span.begin).total_seconds() for span in entry.spans if span.state == "WORKING")
