"""Values about pull requests, the same for every forge."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class PullRequestState(StrEnum):
    """A pull request is open, merged, or closed without being merged."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


class PullRequestDraft(NamedTuple):
    """A pull request to open. `worker` is the marker that makes opening it twice harmless."""

    worker: str
    title: str
    body: str
    head_branch: str
    head_sha: str
    base_branch: str
    labels: tuple[str, ...] = ()
    milestone: str | None = None
    creates_milestone: bool = False
    """Make the milestone when the forge has none with this title; else it is left out, with a warning."""
    is_draft: bool = False
    reviewers: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()


class PullRequest(NamedTuple):
    """A pull request as the forge tells it. `merge_sha` is the commit on the base, once merged."""

    number: int
    url: str
    worker: str | None
    title: str
    body: str
    state: PullRequestState
    head_branch: str
    head_sha: str
    base_branch: str
    labels: tuple[str, ...] = ()
    milestone: str | None = None
    merge_sha: str | None = None
    created_at: str = ""
    updated_at: str = ""
    reason: str = ""


class MergeOutcome(StrEnum):
    """What came of an attempt to merge."""

    MERGED = "merged"
    WAIT = "wait"
    CONFLICT = "conflict"
    CLOSED = "closed"
    REFUSED = "refused"
    """Asking again for the same head will be answered the same until a person or a setting changes something."""


class MergeAttempt(NamedTuple):
    """The answer to 'merge this': for WAIT, CONFLICT and REFUSED, `reason` says why and `files` which.

    The reason of one refusal is the same text every time: it may be remembered.
    """

    outcome: MergeOutcome
    reason: str
    pull_request: PullRequest
    files: tuple[str, ...] = ()
    is_not_yet: bool = False
    """WAIT because the forge refused for something that may pass, and that it need not show."""
    needs_queue: bool = False
    """REFUSED because the base takes only what comes through the forge's merge queue: let it merge by itself."""
