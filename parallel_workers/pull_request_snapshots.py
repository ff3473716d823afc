"""All that is known of an open pull request at one moment: what a decision about it is made from."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from parallel_workers.pull_requests import PullRequest
from parallel_workers.spec import MergeMethod

NEEDS_HUMAN_LABEL = "parallel-workers:needs-human"
"""On a pull request that was given back to people; whoever takes it off lets the worker go on."""


class Mergeable(StrEnum):
    """Whether the head merges into the base without conflict; a forge may still be finding out."""

    UNKNOWN = "unknown"
    YES = "yes"
    CONFLICTING = "conflicting"


class CheckState(StrEnum):
    """A check or commit status of the head commit. Neutral and skipped ones are green."""

    PENDING = "pending"
    GREEN = "green"
    RED = "red"


class Check(NamedTuple):
    """One check run or commit status of the head. `key` is how its forge finds its log again, '' when it has none."""

    name: str
    state: CheckState
    required: bool = False
    url: str = ""
    key: str = ""


class ReviewState(StrEnum):
    """What reviewers together say: each one's latest approval or request for changes counts."""

    NONE = "none"
    REQUIRED = "required"
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"


class Remark(NamedTuple):
    """Something a reviewer, person or bot, wants changed: an unresolved thread, or the text of a review.

    `key` is stable and names the last comment, so that an answered thread is a new remark.
    """

    key: str
    author: str
    text: str
    path: str = ""
    line: int | None = None
    url: str = ""


class PullRequestSnapshot(NamedTuple):
    """A pull request with checks, reviews and mergeability of its head at one moment.

    The defaults are those of a forge without checks and reviews: nothing stands in the way.
    """

    pull_request: PullRequest
    is_draft: bool = False
    mergeable: Mergeable = Mergeable.YES
    checks: tuple[Check, ...] = ()
    is_awaiting_checks: bool = False
    """Checks are required or were just triggered, and not all have reported."""
    review: ReviewState = ReviewState.NONE
    remarks: tuple[Remark, ...] = ()
    is_behind: bool = False
    """The base has moved and its rules ask that the branch be updated before it is merged."""
    blocked_by: str = ""
    """Why the forge refuses to merge although nothing else here stands in the way; '' when it does not."""
    is_queued: bool = False
    """In the forge's own merge queue."""
    has_queue: bool = False
    """Its base takes only what comes through that queue."""
    is_auto_merging: bool = False
    """The forge merges by itself as soon as it may."""
    can_auto_merge: bool = False
    """The forge offers to merge by itself."""
    allowed_methods: tuple[MergeMethod, ...] = tuple(MergeMethod)
    base_sha: str = ""
