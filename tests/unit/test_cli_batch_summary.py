"""The last words of a run."""

from __future__ import annotations

from parallel_workers.cli import batch_summary
from parallel_workers.progress import BatchOutcome, TaskOutcome


def task(task_id: str, result: str = "merged", seconds: float = 10.0, *, before: bool = False) -> TaskOutcome:
    return TaskOutcome(task_id, "worker-1", result, "reason", "file:///1.html", seconds, "run-1", before)


def test_totals_tell_the_speed_up_of_a_batch_that_succeeded() -> None:
    outcome = BatchOutcome("b", (task("A"), task("B"), task("C")), 10.5)
    assert batch_summary.totals(outcome) == (
        "3 tasks: 3 merged in 10.5 s; 2.9 times as fast as one after the other (30.0 s)"
    )


def test_no_speed_up_is_claimed_when_a_task_failed() -> None:
    outcome = BatchOutcome("b", (task("A"), task("B", "failed"), task("C", "skipped", 0)), 10.0)
    assert batch_summary.totals(outcome) == "3 tasks: 1 merged, 1 failed, 1 skipped in 10.0 s"


def test_no_speed_up_is_claimed_when_there_is_none() -> None:
    assert batch_summary.totals(BatchOutcome("b", (task("A"),), 12.0)) == "1 tasks: 1 merged in 12.0 s"


def test_says_when_all_was_done_already() -> None:
    outcome = BatchOutcome("b", (task("A", before=True), task("B", "no_change", before=True)), 0.2)
    assert batch_summary.totals(outcome) == "2 tasks: all were done already"
    assert [row[1] for row in batch_summary.rows(outcome)] == ["merged before", "no change before"]


def test_how_to_look_names_repository_branch_and_ui() -> None:
    text = batch_summary.how_to_look("/a b", "main", "http://127.0.0.1:1")
    assert "git -C '/a b' log --graph --oneline main" in text
    assert "http://127.0.0.1:1/runs" in text
