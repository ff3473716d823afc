"""A pull request as the message of its meta commit: readable in `git log`, and read back exactly.

    Title

    Body, any text at all.

    Pull-Request-State: open
    Head-Branch: feature/task-001
    ...

The last paragraph is always ours: git trailers, one to a line, no blank line among them. What stands before it
can therefore look like anything. Values that are not plain printable text are written as JSON strings.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import NamedTuple

from parallel_workers.adapters.local_forge.objects import ParsedCommit
from parallel_workers.errors import ForgeError
from parallel_workers.pull_requests import PullRequestState

_STATE, _WORKER, _HEAD, _BASE = "Pull-Request-State", "Worker", "Head-Branch", "Base-Branch"
_BASE_SHA, _TITLE, _LABEL, _MILESTONE = "Base-Commit", "Title", "Label", "Milestone"
_MERGE_SHA, _MERGED_ONTO, _CREATED, _REASON = "Merge-Commit", "Merged-Onto", "Created-At", "Reason"


class PullRecord(NamedTuple):
    """What is written down about a pull request; its head is a ref beside it and its number the ref's name.

    `base_sha` is where the base stood when the pull request was opened ('' when the head added nothing to it).
    `merged_onto` is where the base stood just before we moved it to `merge_sha`; None when somebody else did.
    Times are ISO 8601 in UTC, to the second.
    """

    title: str
    body: str
    state: PullRequestState
    worker: str | None
    head_branch: str
    base_branch: str
    base_sha: str
    labels: tuple[str, ...] = ()
    milestone: str | None = None
    merge_sha: str | None = None
    merged_onto: str | None = None
    created_at: str = ""
    updated_at: str = ""
    reason: str = ""


def subject_line(title: str) -> str:
    """The title on one line."""
    return " ".join(title.split()) or "(no title)"


def encode_record(record: PullRecord) -> str:
    """The commit message that says everything in `record` but `updated_at`, which is the commit's own time."""
    title = record.title if _is_plain(record.title) else subject_line(record.title)
    trailers: list[tuple[str, str | None]] = [
        (_STATE, record.state.value),
        (_REASON, record.reason or None),
        (_WORKER, record.worker),
        (_HEAD, record.head_branch),
        (_BASE, record.base_branch),
        (_BASE_SHA, record.base_sha),
        (_MERGE_SHA, record.merge_sha),
        (_MERGED_ONTO, record.merged_onto),
        *((_LABEL, label) for label in record.labels),
        (_MILESTONE, record.milestone),
        (_CREATED, record.created_at),
        (_TITLE, None if title == record.title else record.title),
    ]
    lines = [f"{name}: {_encode_value(value)}" for name, value in trailers if value is not None]
    text = "\n\n".join([title, *([record.body] if record.body else []), "\n".join(lines)])
    return f"{text}\n"


def decode_record(commit: ParsedCommit) -> PullRecord:
    """Read a meta commit back.

    Raises:
        ForgeError: the commit is not one of ours.
    """
    try:
        return _decode(commit)
    except (KeyError, IndexError, ValueError) as error:
        raise ForgeError(f"commit {commit.sha} does not describe a pull request: {error!r}") from error


def _decode(commit: ParsedCommit) -> PullRecord:
    text, _, block = commit.message.removesuffix("\n").rpartition("\n\n")
    title, _, body = text.partition("\n\n")
    values: dict[str, list[str]] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(": ")
        values.setdefault(name, []).append(_decode_value(value))
    once = {name: found[0] for name, found in values.items()}
    return PullRecord(
        title=once.get(_TITLE, title),
        body=body,
        state=PullRequestState(once[_STATE]),
        worker=once.get(_WORKER),
        head_branch=once[_HEAD],
        base_branch=once[_BASE],
        base_sha=once[_BASE_SHA],
        labels=tuple(values.get(_LABEL, ())),
        milestone=once.get(_MILESTONE),
        merge_sha=once.get(_MERGE_SHA),
        merged_onto=once.get(_MERGED_ONTO),
        created_at=once[_CREATED],
        updated_at=utc_text(commit.committer.seconds),
        reason=once.get(_REASON, ""),
    )


def utc_text(seconds: int) -> str:
    """Unix time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_plain(value: str) -> bool:
    return bool(value) and value.isprintable() and value == value.strip() and not value.startswith('"')


def _encode_value(value: str) -> str:
    return value if _is_plain(value) else json.dumps(value)


def _decode_value(value: str) -> str:
    return str(json.loads(value)) if value.startswith('"') else value
