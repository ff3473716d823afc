"""What a worker's flow run means for the batch that waits for it: one change per case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parallel_workers.decisions.standing import WorkerRun, decide_standing
from parallel_workers.progress import TaskProgress

BEGUN = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
AT_WORK = WorkerRun(done=False, in_review=False, ended=False, changed_at=BEGUN, can_start_again=True)
FAILED_SINCE = AT_WORK._replace(ended=True, changed_at=BEGUN + timedelta(seconds=1))
FAILED_BEFORE = FAILED_SINCE._replace(changed_at=BEGUN - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (None, TaskProgress.WAITING),
        (AT_WORK, TaskProgress.ACTIVE),
        (AT_WORK._replace(in_review=True), TaskProgress.IN_REVIEW),
        (FAILED_BEFORE._replace(done=True), TaskProgress.DONE),
        (FAILED_SINCE, TaskProgress.FAILED),
        (FAILED_BEFORE, TaskProgress.WAITING),
        (FAILED_BEFORE._replace(can_start_again=False), TaskProgress.FAILED),
    ],
)
def test_how_a_task_stands(run: WorkerRun | None, expected: TaskProgress) -> None:
    assert decide_standing(run, BEGUN) is expected
