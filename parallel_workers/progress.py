"""Values that tell how workers and batches stand: what `list` prints and the live table shows."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol

from parallel_workers.lifecycle import WorkerState


class WorkerRecord(NamedTuple):
    """A worker as its Prefect flow run tells it; the field names are the stable keys of every `--json`.

    `prefect_state` is Prefect's own state name, beside our `state`; times are ISO 8601 in UTC.
    """

    worker_id: str
    task_id: str
    state: WorkerState
    reason: str
    agent: str
    branch: str
    base_branch: str
    worktree: str
    pr_number: int | None
    pr_url: str | None
    flow_run_id: str
    correlation_id: str
    created_at: str
    updated_at: str
    project: str = ""
    batch: str = ""
    prefect_state: str = ""
    repository: str = ""


class TaskProgress(StrEnum):
    """Where a task of a batch stands, as far as scheduling cares.

    ACTIVE holds a work slot (NEEDS_INIT, WORKING); IN_REVIEW (PR_OPEN) holds none; DONE is merged into its
    base, or needed no change; FAILED ended without that; WAITING has not begun.
    """

    WAITING = "waiting"
    ACTIVE = "active"
    IN_REVIEW = "in_review"
    DONE = "done"
    FAILED = "failed"


class TaskOutcome(NamedTuple):
    """How one task of a batch ended. `result` is merged, no_change, failed, skipped or cancelled."""

    task_id: str
    worker_id: str
    result: str
    reason: str
    pr_url: str | None = None
    seconds: float = 0.0
    flow_run_id: str = ""
    already_done: bool = False


class BatchOutcome(NamedTuple):
    """How a batch ended: `tasks` in spec order, `seconds` of wall time."""

    batch: str
    tasks: tuple[TaskOutcome, ...]
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether every task is merged or needed no change."""
        return all(task.result in {"merged", "no_change"} for task in self.tasks)

    @property
    def work_seconds(self) -> float:
        """Sum of what the tasks took one by one."""
        return sum(task.seconds for task in self.tasks)


class ProgressObserver(Protocol):
    """Told of every change in this process while a batch runs; must return at once and never raise."""

    def told(self, text: str) -> None:
        """Something about the whole run, such as where its pull requests live."""
        ...

    def state_changed(self, task_id: str, state: WorkerState, reason: str) -> None:
        """A worker entered a state (UNKNOWN when it ended in an error)."""
        ...

    def output(self, task_id: str, line: str) -> None:
        """A line of the agent's output."""
        ...

    def pull_request(self, task_id: str, number: int, url: str) -> None:
        """The worker's pull request exists."""
        ...

    def ended(self, outcome: TaskOutcome) -> None:
        """A task ended, whichever way."""
        ...
