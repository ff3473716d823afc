"""Whose turn it is: of all pull requests into one base, one at a time is brought up to date with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from parallel_workers.decisions.stuck import is_stuck
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, CheckState, PullRequestSnapshot, ReviewState
from parallel_workers.pull_requests import PullRequestState


def decide_front(snapshots: Iterable[PullRequestSnapshot], now: datetime | None = None) -> Mapping[str, int]:
    """For each base branch the number of the pull request whose turn it is; a base that has none is left out.

    Give it the open pull requests that the product merges (policy `auto`), not those a person merges. It is the lowest
    number of those that may be merged once they are up to date and their checks are green; one with open remarks comes
    after those without. One that the forge refuses keeps its turn for a while: after a push it does so until CI has
    begun. With `now` (aware), it gives its turn up when that lasts. Every merge makes the others stale: to update all
    of them each time would cost branch updates, and runs of CI, by the square of their number.
    """
    front: dict[str, int] = {}
    for snapshot in sorted(snapshots, key=_turn):
        if _may_be_front(snapshot) and not is_stuck(snapshot, now):
            front.setdefault(snapshot.pull_request.base_branch, snapshot.pull_request.number)
    return front


def _turn(snapshot: PullRequestSnapshot) -> tuple[bool, int]:
    return bool(snapshot.remarks), snapshot.pull_request.number


def _may_be_front(snapshot: PullRequestSnapshot) -> bool:
    pull_request = snapshot.pull_request
    stands_in_the_way = (
        pull_request.state is not PullRequestState.OPEN
        or NEEDS_HUMAN_LABEL in pull_request.labels
        or snapshot.is_draft
        or snapshot.is_queued
        or snapshot.review in (ReviewState.REQUIRED, ReviewState.CHANGES_REQUESTED)
        or any(check.state is CheckState.RED for check in snapshot.checks)
    )
    return not stands_in_the_way
