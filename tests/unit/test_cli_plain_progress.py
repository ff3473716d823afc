"""Plain lines: one per change, harmless, the agents' output only on request."""

from __future__ import annotations

from parallel_workers.cli.plain_progress import PlainProgress
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import TaskOutcome


def told(*, verbose: bool) -> list[str]:
    lines: list[str] = []
    progress = PlainProgress(lines.append, verbose=verbose, clock=lambda: "12:03:11")
    progress.state_changed("TASK-001", WorkerState.WORKING, "agent started")
    progress.output("TASK-001", "\x1b[2Jhello")
    progress.pull_request("TASK-001", 3, "file:///3.html")
    progress.ended(TaskOutcome("TASK-001", "w", "no_change", "two\nlines"))
    return lines


def test_one_line_per_change() -> None:
    assert told(verbose=False) == [
        "12:03:11 TASK-001 WORKING agent started",
        "12:03:11 TASK-001 PR #3 file:///3.html",
        "12:03:11 TASK-001 no change two lines",
    ]


def test_output_when_verbose() -> None:
    assert "12:03:11 TASK-001 | hello" in told(verbose=True)
