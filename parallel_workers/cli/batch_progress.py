"""How the tasks of a running batch stand: what the live table is drawn from. Knows no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from parallel_workers.lifecycle import SLOT_STATES, WorkerState
from parallel_workers.progress import TaskOutcome

_LONGEST_LINE = 4096
_ORDER_WHEN_CROWDED = ("active", "review", "failed", "waiting", "done")


@dataclass
class TaskRow:
    """One task. Times are of the clock the rows were made with, in seconds; `last_line` is as the agent wrote it."""

    task_id: str
    agent: str
    state: WorkerState | None = None
    last_line: str = ""
    pr_number: int | None = None
    begun_at: float | None = None
    outcome: TaskOutcome | None = None

    @property
    def label(self) -> str:
        """The worker state's name; after the end the result; `waiting` before the beginning."""
        if self.outcome is not None:
            return self.outcome.result.replace("_", " ")
        return self.state.value if self.state else "waiting"

    @property
    def group(self) -> str:
        """`active`, `review`, `failed` (also skipped and cancelled), `waiting` or `done`."""
        if self.outcome is not None:
            return "done" if self.outcome.result in {"merged", "no_change"} else "failed"
        if self.state in SLOT_STATES:
            return "active"
        return "review" if self.state in {WorkerState.PR_OPEN, WorkerState.MERGED} else "waiting"

    def seconds(self, now: float) -> float | None:
        """How long the task has taken, or took; None when it has not begun."""
        if self.outcome is not None:
            return self.outcome.seconds or None
        return None if self.begun_at is None else now - self.begun_at


class BatchProgress:
    """A ProgressObserver that remembers the latest of every task. Every method costs a few assignments."""

    def __init__(self, tasks: Iterable[tuple[str, str]], clock: Callable[[], float] = time.monotonic) -> None:
        """`tasks` are (task id, agent) in spec order."""
        self._clock = clock
        self._rows = {task_id: TaskRow(task_id, agent) for task_id, agent in tasks}
        self.note = ""
        self.changes = 0
        """Grows with every change, so that whoever draws can see that there is nothing new."""

    @property
    def rows(self) -> tuple[TaskRow, ...]:
        """All tasks in spec order."""
        return tuple(self._rows.values())

    def told(self, text: str) -> None:
        """Something about the whole run; the last one counts."""
        self.note = text
        self.changes += 1

    def state_changed(self, task_id: str, state: WorkerState, reason: str) -> None:
        """A worker entered a state."""
        row = self._rows[task_id]
        if row.begun_at is None:
            row.begun_at = self._clock()
        row.state = state
        row.last_line = reason
        self.changes += 1

    def output(self, task_id: str, line: str) -> None:
        """A line of output; blank ones and all but the end of a huge one are not kept."""
        if line and not line.isspace():
            self._rows[task_id].last_line = line[-_LONGEST_LINE:]
            self.changes += 1

    def pull_request(self, task_id: str, number: int, url: str) -> None:  # noqa: ARG002 - the table has no room for it
        """The pull request exists."""
        self._rows[task_id].pr_number = number
        self.changes += 1

    def ended(self, outcome: TaskOutcome) -> None:
        """A task ended."""
        row = self._rows[outcome.task_id]
        row.outcome = outcome
        row.last_line = outcome.reason
        self.changes += 1


def choose_rows(rows: tuple[TaskRow, ...], room: int) -> tuple[tuple[TaskRow, ...], dict[str, int]]:
    """The rows to show in `room` lines, and how many of each group are left out.

    All in spec order when they fit; else the active ones first, then in review, failed, waiting, done.
    """
    if len(rows) <= room:
        return rows, {}
    ordered = sorted(rows, key=lambda row: _ORDER_WHEN_CROWDED.index(row.group))
    hidden = ordered[max(room, 0) :]
    counts = {group: sum(row.group == group for row in hidden) for group in _ORDER_WHEN_CROWDED}
    return tuple(ordered[: max(room, 0)]), {group: count for group, count in counts.items() if count}


def format_seconds(seconds: float | None) -> str:
    """`0:07`, `12:34` or `1:02:03`; '' for None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
