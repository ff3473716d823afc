"""What the live table is drawn from."""

from __future__ import annotations

import pytest

from parallel_workers.cli.batch_progress import BatchProgress, TaskRow, choose_rows, format_seconds
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import TaskOutcome


def outcome(task_id: str, result: str, seconds: float = 1.0) -> TaskOutcome:
    return TaskOutcome(task_id, "worker-00000000", result, "because", seconds=seconds)


def row(task_id: str, state: WorkerState | None = None, result: str = "") -> TaskRow:
    return TaskRow(task_id, "a", state, outcome=outcome(task_id, result) if result else None)


@pytest.mark.parametrize(
    ("state", "result", "label", "group"),
    [
        (None, "", "waiting", "waiting"),
        (WorkerState.NEEDS_INIT, "", "NEEDS_INIT", "active"),
        (WorkerState.WORKING, "", "WORKING", "active"),
        (WorkerState.PR_OPEN, "", "PR_OPEN", "review"),
        (WorkerState.MERGED, "", "MERGED", "review"),
        (WorkerState.UNKNOWN, "", "UNKNOWN", "waiting"),
        (WorkerState.WORKING, "failed", "failed", "failed"),
        (None, "skipped", "skipped", "failed"),
        (WorkerState.PR_OPEN, "merged", "merged", "done"),
        (WorkerState.WORKING, "no_change", "no change", "done"),
    ],
)
def test_label_and_group(state: WorkerState | None, result: str, label: str, group: str) -> None:
    shown = row("T", state, result)
    assert (shown.label, shown.group) == (label, group)


def test_remembers_the_latest_of_each_task() -> None:
    now = 100.0
    progress = BatchProgress([("A", "x"), ("B", "y")], clock=lambda: now)
    progress.state_changed("A", WorkerState.NEEDS_INIT, "made")
    now = 107.0
    progress.output("A", "first")
    progress.output("A", "   ")
    progress.pull_request("A", 7, "file:///7.html")
    a, b = progress.rows
    assert (a.last_line, a.pr_number, a.seconds(now)) == ("first", 7, 7.0)
    assert (b.last_line, b.pr_number, b.seconds(now), b.state) == ("", None, None, None)


def test_elapsed_time_runs_from_the_first_state_and_stops_with_the_outcome() -> None:
    now = 0.0
    progress = BatchProgress([("A", "x")], clock=lambda: now)
    progress.state_changed("A", WorkerState.NEEDS_INIT, "")
    now = 5.0
    progress.state_changed("A", WorkerState.WORKING, "")
    assert progress.rows[0].seconds(now) == 5.0
    progress.ended(outcome("A", "merged", seconds=4.5))
    now = 50.0
    assert progress.rows[0].seconds(now) == 4.5


def test_blank_output_is_no_change() -> None:
    progress = BatchProgress([("A", "x")])
    before = progress.changes
    progress.output("A", "\n")
    assert progress.changes == before
    progress.output("A", "text")
    assert progress.changes == before + 1


def test_keeps_no_more_than_the_end_of_a_huge_line() -> None:
    progress = BatchProgress([("A", "x")])
    progress.output("A", "x" * 10_000_000 + "end")
    assert len(progress.rows[0].last_line) < 10_000
    assert progress.rows[0].last_line.endswith("end")


def test_all_rows_in_spec_order_when_they_fit() -> None:
    rows = (row("A", result="merged"), row("B"), row("C", WorkerState.WORKING))
    assert choose_rows(rows, 3) == (rows, {})


def test_active_ones_first_when_crowded_and_the_rest_is_counted() -> None:
    rows = (
        row("A", result="merged"),
        row("B"),
        row("C", WorkerState.WORKING),
        row("D", result="failed"),
        row("E", WorkerState.PR_OPEN),
        row("F", WorkerState.NEEDS_INIT),
    )
    shown, hidden = choose_rows(rows, 3)
    assert [one.task_id for one in shown] == ["C", "F", "E"]
    assert hidden == {"failed": 1, "waiting": 1, "done": 1}


def test_no_room_shows_nothing_and_counts_everything() -> None:
    assert choose_rows((row("A"),), -3) == ((), {"waiting": 1})


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), (7.9, "0:07"), (754, "12:34"), (3723, "1:02:03")])
def test_times_read_as_a_clock(seconds: float | None, text: str) -> None:
    assert format_seconds(seconds) == text
