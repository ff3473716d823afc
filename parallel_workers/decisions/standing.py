"""What the flow run of a worker means for the batch that waits for it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from parallel_workers.progress import TaskProgress


class WorkerRun(NamedTuple):
    """A worker's flow run as a batch sees it. `changed_at` (aware) is when it entered its state.

    `can_start_again`: somebody takes it when it is scheduled.
    """

    done: bool
    in_review: bool
    ended: bool
    changed_at: datetime
    can_start_again: bool


def decide_standing(run: WorkerRun | None, begun_at: datetime) -> TaskProgress:
    """How a task stands for a batch run that was begun at `begun_at` (aware); None: its worker has no run yet.

    What failed before the batch run was begun is to be tried again; what failed since counts as failed. So two batch
    runs of one batch never start each other's failures over and over.
    """
    if run is None:
        return TaskProgress.WAITING
    if run.done:
        return TaskProgress.DONE
    if run.in_review:
        return TaskProgress.IN_REVIEW
    if not run.ended:
        return TaskProgress.ACTIVE
    return TaskProgress.WAITING if run.can_start_again and run.changed_at < begun_at else TaskProgress.FAILED
