"""What a worker that is run again makes of the pull requests that its earlier run left."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from parallel_workers.pull_requests import PullRequest, PullRequestState


class Reclaimed(NamedTuple):
    """The worker that is run again, as its flow run tells it.

    `recorded` is the number of its pull request, once one was opened. `begun` is when the flow run was made.
    `is_handed_in`: the run has recorded that all its work is in its pull request.
    """

    worker: str
    branch: str
    begun: datetime | None = None
    recorded: int | None = None
    is_handed_in: bool = False


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


def decide_reclaim(found: Iterable[PullRequest], run: Reclaimed) -> ReclaimDecision:
    """What to do about the worker's pull request: the recorded one, else its newest that is not older than its run.

    A worker that was forgotten leaves pull requests of an earlier one behind; forges tell whole seconds, so the second
    the run was made in counts. Anybody can copy a marker into a pull request from another branch: it has to be from
    ours. One that is handed in a reviewer may have added commits to, or even rewritten: that is no reason to begin from
    the start, and what is to be done about it is decided while its merge is waited for.
    """
    since = run.begun.replace(microsecond=0) if run.begun is not None else None
    ours = [
        each
        for each in found
        if each.head_branch == run.branch
        and (each.worker == run.worker or each.number == run.recorded)
        and (since is None or datetime.fromisoformat(each.created_at) >= since)
    ]
    if not ours:
        return GoOn("no pull request of this run")
    last = max(ours, key=lambda each: (each.number == run.recorded, each.number))
    match last.state:
        case PullRequestState.MERGED:
            return FinishMerged(last)
        case PullRequestState.CLOSED:
            return LeaveClosed(last)
        case PullRequestState.OPEN if run.is_handed_in:
            return GoOnWaiting(last)
        case PullRequestState.OPEN:
            return GoOn(f"#{last.number} is open")
