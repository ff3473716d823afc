"""The table that shows a running batch on a terminal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from parallel_workers.cli.batch_progress import BatchProgress, TaskRow, choose_rows, format_seconds
from parallel_workers.cli.terminal_text import one_line

_FRAME_SECONDS = 0.2
_MOST_OF_A_CORE = 0.05  # a big table is drawn less often: the engine needs the processor more
_STYLES = {"active": "cyan", "review": "yellow", "failed": "red", "waiting": "dim", "done": "green"}
_LINES_AROUND_ROWS = 4  # heading, its rule, the line that sums up, and the cursor's
_WIDTH_FOR_AGENT = 72
_WIDTH_FOR_OUTPUT = 50
_LONGEST_ID = 32


def render(progress: BatchProgress, width: int, height: int, now: float) -> RenderableType:
    """The table for a terminal of `width` columns and `height` lines; never taller than that."""
    rows = progress.rows
    shown, hidden = choose_rows(rows, height - _LINES_AROUND_ROWS)
    with_agent, with_output = width >= _WIDTH_FOR_AGENT, width >= _WIDTH_FOR_OUTPUT
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=True, header_style="bold")
    id_width = min(max(len(row.task_id) for row in rows), _LONGEST_ID, max(width // 3, 4))
    table.add_column("Task", no_wrap=True, width=id_width)
    if with_agent:
        table.add_column("Agent", no_wrap=True, width=min(max(len(row.agent) for row in rows), 16))
    table.add_column("State", no_wrap=True, width=10)
    table.add_column("Time", no_wrap=True, width=7, justify="right")
    table.add_column("PR", no_wrap=True, width=5, justify="right")
    if with_output:
        table.add_column("Last line", no_wrap=True, ratio=1)
    for row in shown:
        table.add_row(*_cells(row, width, now, with_agent=with_agent, with_output=with_output))
    summary = _sum_up(rows, hidden) + (f"; {progress.note}" if progress.note else "")
    return Group(table, Text(one_line(summary), style="dim", no_wrap=True, overflow="ellipsis"))


def _cells(row: TaskRow, width: int, now: float, *, with_agent: bool, with_output: bool) -> list[Text]:
    # Text, not str: rich would read markup in a str, and an agent's output is not to be read so.
    cells = [Text(one_line(row.task_id)), Text(row.label, style=_STYLES[row.group])]
    if with_agent:
        cells.insert(1, Text(one_line(row.agent)))
    cells += [Text(format_seconds(row.seconds(now))), Text(f"#{row.pr_number}" if row.pr_number else "")]
    if with_output:
        cells.append(Text(one_line(row.last_line, width), style="dim"))
    for cell in cells:
        cell.overflow = "ellipsis"
    return cells


def _sum_up(rows: tuple[TaskRow, ...], hidden: dict[str, int]) -> str:
    done = sum(row.group == "done" for row in rows)
    failed = sum(row.group == "failed" for row in rows)
    text = f"{done} of {len(rows)} done" + (f", {failed} not" if failed else "")
    if hidden:
        names = {"active": "at work", "review": "in review", "failed": "failed"}
        text += "; not shown: " + ", ".join(f"{count} {names.get(group, group)}" for group, count in hidden.items())
    return text


class LiveTable:
    """Draws `progress` on the console whenever it changed, a few times a second at most."""

    def __init__(self, progress: BatchProgress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._drawn: tuple[object, ...] = ()
        # auto_refresh would draw in a thread of its own, changed or not.
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show the table while the block runs; it is gone afterwards."""
        self._live.start()
        drawing = asyncio.create_task(self._keep_drawing())
        try:
            yield
        finally:
            drawing.cancel()
            self.close()

    def close(self) -> None:
        """Take the table away and give the cursor back; also before leaving the process at once."""
        self._live.stop()

    async def _keep_drawing(self) -> None:
        while True:
            begun = time.thread_time()
            self.draw()
            await asyncio.sleep(max(_FRAME_SECONDS, (time.thread_time() - begun) / _MOST_OF_A_CORE))

    def draw(self) -> None:
        """Draw once, unless the last drawing still holds: nothing changed and no shown second passed."""
        size, now = self._console.size, time.monotonic()
        stand = (self._progress.changes, size, int(now))
        if stand != self._drawn:
            self._drawn = stand
            self._live.update(render(self._progress, size.width, size.height, now), refresh=True)
