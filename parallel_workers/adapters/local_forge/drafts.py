"""From a draft to the record of a pull request, and from a record to what callers see. Pure."""

from __future__ import annotations

from parallel_workers.adapters.local_forge.ledger import Look
from parallel_workers.adapters.local_forge.records import PullRecord
from parallel_workers.errors import ForeignPullRequestError
from parallel_workers.plain_text import clean_text
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL
from parallel_workers.pull_requests import PullRequest, PullRequestDraft, PullRequestState


def find_number(look: Look, draft: PullRequestDraft) -> int | None:
    """The pull request a draft is about: an open one of its worker or branch, else the one merged at this head.

    Raises:
        ForeignPullRequestError: the branch has an open one of another worker.
    """
    newest_first = [(number, look.records[number]) for number in sorted(look.records, reverse=True)]
    still_open = [(number, record) for number, record in newest_first if record.state is PullRequestState.OPEN]
    of_worker = [number for number, record in still_open if draft.worker and record.worker == draft.worker]
    of_branch = [number for number, record in still_open if record.head_branch == draft.head_branch]
    for number in () if of_worker or not draft.worker else of_branch:
        owner = look.records[number].worker
        if owner:
            raise ForeignPullRequestError(number, draft.head_branch, owner, draft.worker)
    merged = [
        number
        for number, record in newest_first
        if record.state is PullRequestState.MERGED
        and record.worker == (draft.worker or None)
        and look.refs.pulls[number].head == draft.head_sha
    ]
    return next(iter([*of_worker, *of_branch, *merged]), None)


def draft_record(draft: PullRequestDraft, former: PullRecord | None, base: str, now: str) -> PullRecord:
    """What is written down for a draft; a former record keeps its age and its base."""
    record = PullRecord(
        title=clean_text(draft.title),
        body=clean_text(draft.body),
        state=PullRequestState.OPEN,
        worker=draft.worker or None,
        head_branch=draft.head_branch,
        base_branch=draft.base_branch,
        base_sha=base,
        labels=tuple(clean_text(label) for label in draft.labels),
        milestone=None if draft.milestone is None else clean_text(draft.milestone),
        created_at=now,
    )
    if former is None:
        return record
    # what was asked of people stays asked until one of them answers
    asked = tuple(label for label in former.labels if label == NEEDS_HUMAN_LABEL and label not in record.labels)
    record = record._replace(labels=(*record.labels, *asked))
    kept = record._replace(created_at=former.created_at, updated_at=former.updated_at, reason=former.reason)
    return kept._replace(base_branch=former.base_branch, base_sha=former.base_sha)


def as_pull_request(number: int, record: PullRecord, head: str, url: str) -> PullRequest:
    """A pull request as every forge tells it."""
    return PullRequest(
        number=number,
        url=url,
        worker=record.worker,
        title=record.title,
        body=record.body,
        state=record.state,
        head_branch=record.head_branch,
        head_sha=head,
        base_branch=record.base_branch,
        labels=record.labels,
        milestone=record.milestone,
        merge_sha=record.merge_sha,
        created_at=record.created_at,
        updated_at=record.updated_at,
        reason=record.reason,
    )
