"""Tells of a running batch in plain lines, for logs and for terminals that can only print."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from parallel_workers.cli.terminal_text import one_line
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import TaskOutcome

_LONGEST_LINE = 300


def _wall_clock() -> str:
    return datetime.now().astimezone().strftime("%H:%M:%S")


class PlainProgress:
    """A ProgressObserver that says each change on a line; the agents' output only when `verbose`."""

    def __init__(self, say: Callable[[str], None], *, verbose: bool, clock: Callable[[], str] = _wall_clock) -> None:
        self._say = say
        self._verbose = verbose
        self._clock = clock

    def _tell(self, task_id: str, what: str) -> None:
        self._say(one_line(f"{self._clock()} {task_id} {what}", _LONGEST_LINE))

    def told(self, text: str) -> None:
        """Something about the whole run."""
        self._say(one_line(text, _LONGEST_LINE))

    def state_changed(self, task_id: str, state: WorkerState, reason: str) -> None:
        """A worker entered a state."""
        self._tell(task_id, f"{state} {reason}")

    def output(self, task_id: str, line: str) -> None:
        """A line of output."""
        if self._verbose:
            self._tell(task_id, f"| {line}")

    def pull_request(self, task_id: str, number: int, url: str) -> None:
        """The pull request exists."""
        self._tell(task_id, f"PR #{number} {url}")

    def ended(self, outcome: TaskOutcome) -> None:
        """A task ended."""
        self._tell(outcome.task_id, f"{outcome.result.replace('_', ' ')} {outcome.reason}")
