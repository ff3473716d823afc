"""The live table fits its terminal, shows untrusted text harmlessly, and is drawn only when there is something new."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from parallel_workers.cli.batch_progress import BatchProgress
from parallel_workers.cli.live_table import LiveTable, render
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import TaskOutcome


def many(count: int, active: int) -> BatchProgress:
    progress = BatchProgress([(f"TASK-{number:03}", "code-author") for number in range(count)], clock=lambda: 0.0)
    for number in range(active):
        progress.state_changed(f"TASK-{count - 1 - number:03}", WorkerState.WORKING, "at work")
    return progress


def drawn(progress: BatchProgress, width: int, height: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    with console.capture() as capture:
        console.print(render(progress, width, height, now=65.0))
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
@pytest.mark.parametrize("height", [5, 10, 24, 60])
def test_fits_any_terminal(width: int, height: int) -> None:
    lines = drawn(many(200, active=3), width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width


def test_shows_the_active_ones_and_counts_the_rest() -> None:
    lines = drawn(many(200, active=3), 100, 12)
    assert [line.split()[:3] for line in lines[2:5]] == [
        [f"TASK-{number}", "code-author", "WORKING"] for number in (197, 198, 199)
    ]
    assert lines[-1] == "0 of 200 done; not shown: 192 waiting"


def test_shows_each_column() -> None:
    progress = many(2, active=1)
    progress.output("TASK-001", "\x1b[31mcompiling\x1b[0m [bold]x[/bold]")
    progress.pull_request("TASK-001", 12, "")
    header, _, waiting, working, _ = drawn(progress, 100, 24)
    assert header.split() == ["Task", "Agent", "State", "Time", "PR", "Last", "line"]
    assert waiting.split() == ["TASK-000", "code-author", "waiting"]
    assert working.split() == ["TASK-001", "code-author", "WORKING", "1:05", "#12", "compiling", "[bold]x[/bold]"]


def test_a_narrow_terminal_keeps_task_and_state() -> None:
    lines = drawn(many(2, active=2), 40, 24)
    assert "Agent" not in lines[0]
    assert "Last line" not in lines[0]
    assert lines[2].split()[:3] == ["TASK-000", "WORKING", "1:05"]


def test_says_how_many_went_wrong() -> None:
    progress = many(3, active=0)
    progress.ended(TaskOutcome("TASK-000", "w", "failed", "agent ended 1"))
    progress.ended(TaskOutcome("TASK-001", "w", "merged", "done"))
    assert drawn(progress, 100, 24)[-1] == "1 of 3 done, 1 not"


async def test_draws_again_only_when_something_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "parallel_workers.cli.live_table.time", SimpleNamespace(monotonic=lambda: 10.0, thread_time=time.thread_time)
    )
    output = io.StringIO()
    progress = many(5, active=1)
    table = LiveTable(progress, Console(file=output, force_terminal=True, width=80, height=24))
    async with table.shown():
        table.draw()
        first = output.tell()
        table.draw()
        assert output.tell() == first
        progress.output("TASK-004", "new line")
        table.draw()
        assert output.tell() > first


def test_drawing_two_hundred_tasks_is_cheap() -> None:
    progress = many(200, active=20)
    begun = time.process_time()
    for _ in range(10):
        drawn(progress, 120, 50)
    assert (time.process_time() - begun) / 10 < 0.05  # five times a second at most: a quarter of a core, here far less
