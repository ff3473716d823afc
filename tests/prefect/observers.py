"""An observer that keeps what it is told, for tests that assert on it."""

from __future__ import annotations

import asyncio

from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import TaskOutcome


class Recorder:
    """Keeps states (repeats left out), lines of output, pull requests and outcomes."""

    def __init__(self) -> None:
        self.states: list[tuple[str, WorkerState]] = []
        self.reasons: list[str] = []
        self.lines: list[tuple[str, str]] = []
        self.pull_requests: dict[str, tuple[int, str]] = {}
        self.outcomes: list[TaskOutcome] = []

    def told(self, text: str) -> None:
        """Keep it as a reason that belongs to no task."""
        self.reasons.append(text)

    def state_changed(self, task_id: str, state: WorkerState, reason: str) -> None:
        """Keep the state unless the task is in it already."""
        self.reasons.append(reason)
        if (task_id, state) not in self.states[-1:]:
            self.states.append((task_id, state))

    def output(self, task_id: str, line: str) -> None:
        """Keep the line."""
        self.lines.append((task_id, line))

    def pull_request(self, task_id: str, number: int, url: str) -> None:
        """Keep number and URL."""
        self.pull_requests[task_id] = (number, url)

    def ended(self, outcome: TaskOutcome) -> None:
        """Keep the outcome."""
        self.outcomes.append(outcome)

    async def until(self, task_id: str, state: WorkerState) -> None:
        """Return once the task has entered the state; fails after 30 seconds."""
        async with asyncio.timeout(30):
            while (task_id, state) not in self.states:  # noqa: ASYNC110 - the observer is told from other tasks
                await asyncio.sleep(0.02)

    async def until_waits(self, reason: str, times: int = 1) -> None:
        """Return once a reason that holds this text was told so often; fails after 60 seconds."""
        async with asyncio.timeout(60):
            while sum(reason in told for told in self.reasons) < times:  # noqa: ASYNC110 - the observer is told from other tasks
                await asyncio.sleep(0.02)
