"""What a worker that is run again makes of its earlier pull requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from parallel_workers.decisions.reclaiming import (
    FinishMerged,
    GoOn,
    GoOnWaiting,
    LeaveClosed,
    ReclaimDecision,
    Reclaimed,
    decide_reclaim,
)
from parallel_workers.pull_requests import PullRequest, PullRequestState

BEGUN = datetime(2026, 1, 2, 12, 0, 0, 900_000, tzinfo=UTC)


RUN = Reclaimed("worker-1", "feature/t", BEGUN)


def pull(
    number: int,
    state: str,
    created_at: str = "2026-01-02T12:00:00Z",
    worker: str | None = "worker-1",
    branch: str = "feature/t",
) -> PullRequest:
    return PullRequest(
        number=number,
        url="",
        worker=worker,
        title="",
        body="",
        state=PullRequestState(state),
        head_branch=branch,
        head_sha="a" * 40,
        base_branch="main",
        created_at=created_at,
    )


MERGED, CLOSED = pull(1, "merged"), pull(1, "closed")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], GoOn("no pull request of this run")),
        ([pull(1, "open")], GoOn("#1 is open")),
        ([MERGED], FinishMerged(MERGED)),
        ([CLOSED], LeaveClosed(CLOSED)),
        ([CLOSED, pull(2, "open")], GoOn("#2 is open")),
        ([pull(2, "open"), MERGED], GoOn("#2 is open")),
        ([pull(1, "merged", worker="worker-2")], GoOn("no pull request of this run")),
        ([pull(1, "open"), pull(2, "merged", branch="evil")], GoOn("#1 is open")),
        ([pull(1, "merged", created_at="2026-01-02T11:59:59Z")], GoOn("no pull request of this run")),
    ],
)
def test_the_newest_pull_request_of_this_run_decides(found: list[PullRequest], expected: ReclaimDecision) -> None:
    assert decide_reclaim(found, RUN) == expected


def test_an_open_one_that_all_work_was_handed_in_to_is_only_waited_for() -> None:
    opened, handed_in = pull(1, "open"), RUN._replace(is_handed_in=True)
    assert decide_reclaim([opened], handed_in) == GoOnWaiting(opened)
    assert decide_reclaim([opened], RUN) == GoOn("#1 is open")
    assert decide_reclaim([MERGED], handed_in) == FinishMerged(MERGED)
    assert decide_reclaim([CLOSED], handed_in) == LeaveClosed(CLOSED)


def test_the_recorded_one_is_ours_whatever_became_of_its_marker_and_before_any_newer_one() -> None:
    run = RUN._replace(recorded=1, is_handed_in=True)
    unmarked = pull(1, "open", worker=None)
    assert decide_reclaim([unmarked], run) == GoOnWaiting(unmarked)
    assert decide_reclaim([unmarked, pull(2, "merged")], run) == GoOnWaiting(unmarked)
