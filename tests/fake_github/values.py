"""What the fake keeps in memory about accounts, repositories and pull requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.fake_github.ci import CheckReport

Json = dict[str, Any]


GHOST = "ghost"
"""Who wrote what a deleted account had written: GitHub tells no author of it."""


class Account(NamedTuple):
    """A person, bot or organisation."""

    id: int
    login: str
    kind: str = "User"


@dataclass
class Settings:
    """What the owner of a repository chose for merging."""

    allow_merge_commit: bool = True
    allow_squash_merge: bool = True
    allow_rebase_merge: bool = True
    allow_auto_merge: bool = False
    delete_branch_on_merge: bool = False
    allow_drafts: bool = True
    has_merge_queue: bool = False


@dataclass
class Protection:
    """Rules of a base branch."""

    required_checks: list[str] = field(default_factory=list)
    required_reviews: int = 0
    is_strict: bool = False
    """A branch must contain the newest base before it is merged."""


@dataclass
class Label:
    """A label; names are compared without case."""

    id: int
    name: str
    color: str = "ededed"
    description: str | None = None


@dataclass
class Milestone:
    """A milestone, known by its number."""

    id: int
    number: int
    title: str
    creator: Account
    created_at: str
    state: str = "open"
    description: str | None = None


@dataclass
class Comment:
    """A comment on the pull request itself."""

    id: int
    author: Account
    body: str
    created_at: str


@dataclass
class ReviewComment:
    """A comment on a line of the diff."""

    id: int
    author: Account
    body: str
    created_at: str
    review_id: int
    commit_sha: str
    reply_to: int | None = None


@dataclass
class Thread:
    """Comments on one line, resolved or not."""

    id: int
    path: str
    line: int
    comments: list[ReviewComment]
    is_resolved: bool = False
    is_outdated: bool = False


@dataclass
class Review:
    """A submitted review: APPROVED, CHANGES_REQUESTED, COMMENTED or DISMISSED."""

    id: int
    author: Account
    state: str
    body: str
    submitted_at: str
    commit_sha: str


@dataclass
class CheckRun:
    """A check of a commit; `conclusion` is None while it runs."""

    id: int
    name: str
    head_sha: str
    status: str
    conclusion: str | None
    started_at: str
    report: CheckReport
    """What it said when it was done; until then only its app counts."""
    completed_at: str | None = None


@dataclass
class Status:
    """A commit status, of the older of GitHub's two ways."""

    id: int
    context: str
    state: str
    creator: Account
    created_at: str
    description: str | None = None


class AutoMerge(NamedTuple):
    """The wish to merge as soon as it may be."""

    method: str
    enabled_at: str
    enabled_by: Account
    title: str | None = None
    message: str | None = None


@dataclass
class Pull:
    """A pull request."""

    id: int
    number: int
    author: Account
    title: str
    body: str | None
    head_branch: str
    head_sha: str
    base_branch: str
    base_sha: str
    """The base's tip when the head was pushed last, as GitHub keeps it: it does not follow the base."""
    created_at: str
    updated_at: str
    is_draft: bool = False
    state: str = "open"
    closed_at: str | None = None
    merged_at: str | None = None
    merged_by: Account | None = None
    merge_sha: str | None = None
    test_merge_sha: str | None = None
    label_keys: list[str] = field(default_factory=list)
    milestone: int | None = None
    assignees: list[Account] = field(default_factory=list)
    reviewers: list[Account] = field(default_factory=list)
    reviews: list[Review] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    auto_merge: AutoMerge | None = None
    born_at: float = 0.0
    """When it was made, for lists that lag."""
    is_queued: bool = False
    """In the merge queue."""
    judged_for: tuple[str, str] | None = None
    """Head and base that `is_mergeable` was found for."""
    is_mergeable: bool = False
    asked_for: tuple[str, str] | None = None
    null_answers: int = 0

    @property
    def node_id(self) -> str:
        """The id that GraphQL knows it by."""
        return f"PR_kwDO{self.id:012d}"
