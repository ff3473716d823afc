"""What a worker that is run again makes of the pull requests that its earlier run left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from parallel_workers.pull_requests import PullRequest, PullRequestState


class GoOn(NamedTuple):
    """None has ended: go through the steps, each of which finds what is there."""

    reason: str


class GoOnWaiting(NamedTuple):
    """It is open, and the run's work is in it: its merge is waited for, whoever added to it since."""

    pull_request: PullRequest


class FinishMerged(NamedTuple):
    """It is merged already: only clean up."""

    pull_request: PullRequest


class LeaveClosed(NamedTuple):
    """A person closed it without merging: running again does not undo that."""

    pull_request: PullRequest


ReclaimDecision = GoOn | GoOnWaiting | FinishMerged | LeaveClosed


def decide_reclaim(
    found: Iterable[PullRequest], worker: str, begun: datetime | None, *, is_handed_in: bool = False
) -> ReclaimDecision:
    """What to do about the newest pull request of `worker` that is not older than its flow run.

    `begun` is when the flow run was made: a worker that was forgotten leaves pull requests of an earlier one behind.
    Forges tell whole seconds, so the second it was made in counts. `is_handed_in`: the run has recorded that all its
    work is in its pull request. A reviewer may have added commits since, or even rewritten the branch: that is no
    reason to begin from the start, and what is to be done about it is decided while its merge is waited for.
    """
    since = begun.replace(microsecond=0) if begun is not None else None
    ours = [
        each
        for each in found
        if each.worker == worker and (since is None or datetime.fromisoformat(each.created_at) >= since)
    ]
    if not ours:
        return GoOn("no pull request of this run")
    last = max(ours, key=lambda each: each.number)
    match last.state:
        case PullRequestState.MERGED:
            return FinishMerged(last)
        case PullRequestState.CLOSED:
            return LeaveClosed(last)
        case PullRequestState.OPEN if is_handed_in:
            return GoOnWaiting(last)
        case PullRequestState.OPEN:
            return GoOn(f"#{last.number} is open")
