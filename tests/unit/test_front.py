"""Whose turn it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parallel_workers.decisions.front import decide_front
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, Mergeable, PullRequestSnapshot, ReviewState
from parallel_workers.pull_requests import PullRequestState
from tests.unit.open_pull_requests import OPEN, PENDING, READY, RED, RED_OPTIONAL, REMARK


def numbered(number: int, snapshot: PullRequestSnapshot = READY) -> PullRequestSnapshot:
    return snapshot._replace(pull_request=snapshot.pull_request._replace(number=number))


def test_it_is_the_lowest_numbers_turn_for_each_base() -> None:
    other_base = READY._replace(pull_request=OPEN._replace(base_branch="dev"))
    assert decide_front([numbered(9), numbered(3), numbered(4, other_base)]) == {"main": 3, "dev": 4}
    assert decide_front([]) == {}


@pytest.mark.parametrize(
    "snapshot",
    [
        READY._replace(is_behind=True),
        READY._replace(mergeable=Mergeable.CONFLICTING),
        READY._replace(mergeable=Mergeable.UNKNOWN),
        READY._replace(checks=(PENDING,)),
        READY._replace(is_awaiting_checks=True),
        READY._replace(blocked_by="a required check has not reported"),
        READY._replace(is_auto_merging=True),
    ],
)
def test_what_being_brought_up_to_date_brings_with_it_ends_no_turn(snapshot: PullRequestSnapshot) -> None:
    assert decide_front([numbered(3, snapshot), numbered(4)]) == {"main": 3}


@pytest.mark.parametrize(
    "snapshot",
    [
        READY._replace(pull_request=OPEN._replace(state=PullRequestState.MERGED)),
        READY._replace(pull_request=OPEN._replace(state=PullRequestState.CLOSED)),
        READY._replace(pull_request=OPEN._replace(labels=(NEEDS_HUMAN_LABEL,))),
        READY._replace(is_draft=True),
        READY._replace(is_queued=True),
        READY._replace(review=ReviewState.REQUIRED),
        READY._replace(review=ReviewState.CHANGES_REQUESTED),
        READY._replace(checks=(RED,)),
        READY._replace(checks=(RED_OPTIONAL,)),
    ],
)
def test_what_has_more_against_it_has_no_turn(snapshot: PullRequestSnapshot) -> None:
    assert decide_front([numbered(3, snapshot), numbered(4)]) == {"main": 4}
    assert decide_front([numbered(3, snapshot)]) == {}


def test_open_remarks_let_others_go_first_but_are_no_dead_end() -> None:
    remarked = READY._replace(remarks=(REMARK,))
    assert decide_front([numbered(3, remarked), numbered(4)]) == {"main": 4}
    assert decide_front([numbered(3, remarked), numbered(4, remarked)]) == {"main": 3}


def test_one_that_the_forge_refuses_for_long_gives_up_its_turn() -> None:
    changed = OPEN._replace(updated_at="2026-01-02T12:00:00Z")
    soon, late = datetime(2026, 1, 2, 13, 0, tzinfo=UTC), datetime(2026, 1, 2, 13, 0, 1, tzinfo=UTC)
    blocked = READY._replace(pull_request=changed, blocked_by="its branch is locked")
    others = [numbered(3, blocked), numbered(4)]
    assert decide_front(others, soon) == {"main": 3}, "after a push it is refused until CI has begun"
    assert decide_front(others, late) == {"main": 4}
    assert decide_front([numbered(3, blocked)], late) == {}
    assert decide_front(others) == {"main": 3}, "without a clock nothing lasts"
    for patient in (blocked._replace(blocked_by=""), blocked._replace(is_awaiting_checks=True)):
        assert decide_front([numbered(3, patient), numbered(4)], late + timedelta(days=1)) == {"main": 3}
