"""What to do about a pull request: one that may be merged, one change per test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parallel_workers.decisions.merge_decisions import (
    GiveUp,
    Merge,
    Merged,
    MergeDecision,
    MergeRules,
    ReworkMemory,
    Wait,
)
from parallel_workers.decisions.merging import decide_merge, is_overdue
from parallel_workers.pull_request_snapshots import PullRequestSnapshot
from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.spec import MergeMethod, MergePolicy

HEAD, MERGE = "a" * 40, "b" * 40
OPEN = PullRequest(7, "u", "worker-1", "t", "b", PullRequestState.OPEN, "feature/t", HEAD, "main")


def decide(pull_request: PullRequest, policy: MergePolicy) -> MergeDecision:
    return decide_merge(PullRequestSnapshot(pull_request), MergeRules(policy), ReworkMemory(), None)


def test_an_open_one_is_merged_at_the_head_that_was_judged() -> None:
    assert decide(OPEN, MergePolicy.AUTO) == Merge(MergeMethod.MERGE, HEAD, "#7 may be merged into main")


def test_with_policy_manual_a_person_is_waited_for() -> None:
    assert decide(OPEN, MergePolicy.MANUAL) == Wait("waits for a person to merge pull request #7")


@pytest.mark.parametrize("policy", MergePolicy)
def test_a_merged_one_is_merged(policy: MergePolicy) -> None:
    merged = OPEN._replace(state=PullRequestState.MERGED, merge_sha=MERGE)
    assert decide(merged, policy) == Merged(MERGE, "#7 is merged into main")
    assert decide(merged._replace(merge_sha=None), policy) == Merged(None, "#7 is merged into main")


@pytest.mark.parametrize("policy", MergePolicy)
def test_a_closed_one_is_given_up(policy: MergePolicy) -> None:
    closed = OPEN._replace(state=PullRequestState.CLOSED)
    assert decide(closed, policy) == GiveUp("pull request #7 was closed without being merged")
    assert decide(closed._replace(reason="not wanted"), policy) == GiveUp(
        "pull request #7 was closed without being merged: not wanted"
    )


def test_one_is_overdue_only_after_the_time_for_its_review() -> None:
    opened = OPEN._replace(created_at="2026-01-02T12:00:00Z")
    due = datetime(2026, 1, 2, 12, 1, tzinfo=UTC)
    assert not is_overdue(opened, 60, due)
    assert is_overdue(opened, 60, due + timedelta(seconds=1))
