"""A pull request of GitHub's REST API as every forge tells it. Pure."""

from __future__ import annotations

from typing import Any

from parallel_workers.adapters.github.bodies import read_body, read_reason
from parallel_workers.pull_request_marker import find_marker
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL
from parallel_workers.pull_requests import PullRequest, PullRequestState

Json = dict[str, Any]


def as_pull_request(pull: Json) -> PullRequest:
    """From an item of a list or the whole object: only fields that both have.

    A marker counts only where the head is in the repository itself: anybody may copy one into a fork's pull request.
    Merged is what has `merged_at`: a `state` of closed may be either, and `merge_commit_sha` of an open one is a test.
    """
    state = _state(pull)
    merge_sha = pull.get("merge_commit_sha") if state is PullRequestState.MERGED else None
    return PullRequest(
        number=pull["number"],
        url=pull["html_url"],
        worker=find_marker(pull["body"]) if is_from_here(pull) else None,
        title=pull["title"],
        body=read_body(pull["body"]),
        state=state,
        head_branch=pull["head"]["ref"],
        head_sha=pull["head"]["sha"],
        base_branch=pull["base"]["ref"],
        labels=label_names(pull),
        milestone=(pull.get("milestone") or {}).get("title"),
        merge_sha=merge_sha,
        created_at=pull["created_at"],
        updated_at=pull["updated_at"],
        reason=_reason(pull, state, merge_sha),
    )


def is_from_here(pull: Json) -> bool:
    """Whether its head is a branch of the repository that it is to be merged into; a deleted fork answers null."""
    head, base = pull["head"].get("repo"), pull["base"].get("repo")
    return bool(head and base and head["id"] == base["id"])


def label_names(pull: Json) -> tuple[str, ...]:
    """Names of its labels, in GitHub's order; ours as we write it, in whatever letter case somebody made it."""
    names = (label["name"] for label in pull.get("labels") or ())
    return tuple(NEEDS_HUMAN_LABEL if name.lower() == NEEDS_HUMAN_LABEL else name for name in names)


def with_issue(pull: Json, issue: Json) -> Json:
    """The pull request after its issue side was changed: that answer is newer than any list."""
    return {**pull, **{key: issue[key] for key in ("labels", "milestone", "assignees", "updated_at") if key in issue}}


def _state(pull: Json) -> PullRequestState:
    if pull.get("merged_at"):
        return PullRequestState.MERGED
    return PullRequestState.OPEN if pull["state"] == "open" else PullRequestState.CLOSED


def _reason(pull: Json, state: PullRequestState, merge_sha: str | None) -> str:
    if state is PullRequestState.MERGED:
        return f"merged as {merge_sha[:12]}" if merge_sha else "merged"
    return read_reason(pull["body"]) if state is PullRequestState.CLOSED else ""
