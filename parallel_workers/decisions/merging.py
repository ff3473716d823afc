"""What to do about a pull request now, as a list of rules: the first that answers wins."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.spec import MergePolicy


class Merged(NamedTuple):
    """It is merged; `merge_sha` is the commit on the base, when the forge tells it."""

    merge_sha: str | None


class Wait(NamedTuple):
    """Nothing to do now; look again later."""

    reason: str


class Merge(NamedTuple):
    """Merge it now; `head_sha` is the head that was judged, so that no later push slips in."""

    head_sha: str


class GiveUp(NamedTuple):
    """It will not be merged; the work is kept."""

    reason: str


MergeDecision = Merged | Wait | Merge | GiveUp
_Rule = Callable[[PullRequest, MergePolicy], MergeDecision | None]


def decide_merge(pull_request: PullRequest, policy: MergePolicy) -> MergeDecision:
    """What to do about `pull_request` under `policy`.

    In order: merged already; closed without being merged; a person is to merge it; else merge it.
    """
    for rule in _RULES:
        decision = rule(pull_request, policy)
        if decision is not None:
            return decision
    return Merge(pull_request.head_sha)


def is_overdue(pull_request: PullRequest, review_timeout: float, now: datetime) -> bool:
    """Whether it has been open for longer than `review_timeout` seconds at `now` (aware)."""
    return now - datetime.fromisoformat(pull_request.created_at) > timedelta(seconds=review_timeout)


def _is_merged(pull_request: PullRequest, _policy: MergePolicy) -> MergeDecision | None:
    return Merged(pull_request.merge_sha) if pull_request.state is PullRequestState.MERGED else None


def _is_closed(pull_request: PullRequest, _policy: MergePolicy) -> MergeDecision | None:
    if pull_request.state is not PullRequestState.CLOSED:
        return None
    why = f": {pull_request.reason}" if pull_request.reason else ""
    return GiveUp(f"pull request #{pull_request.number} was closed without being merged{why}")


def _is_for_a_person(pull_request: PullRequest, policy: MergePolicy) -> MergeDecision | None:
    if policy is not MergePolicy.MANUAL:
        return None
    return Wait(f"waits for a person to merge pull request #{pull_request.number}")


_RULES: tuple[_Rule, ...] = (_is_merged, _is_closed, _is_for_a_person)
