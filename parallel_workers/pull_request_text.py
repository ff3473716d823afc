"""The text of a pull request: what was asked for, what changed, the evidence, and how it was made.

Texts of users and agents go out to everyone who reads the repository: each is redacted before it is quoted, since a
token with a backslash in it would not be recognised, and before it is cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from parallel_workers.change_report import commit_list, diff_stat, gate_table
from parallel_workers.durations import duration
from parallel_workers.markdown import code, escaped
from parallel_workers.pull_request_marker import marker
from parallel_workers.redaction import redact
from parallel_workers.spec import TaskOrder
from parallel_workers.work_report import WorkReport

MAX_BODY = 65_536
"""GitHub's limit, in characters."""
MAX_TITLE = 256
"""GitHub's limit, in characters."""
_MAX_COMMITS, _MAX_STAT, _MAX_GATES = 12_000, 16_000, 8_000
_MAX_SUBJECT = 300
_MAX_CLOSING = 1000
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
# What GitHub makes a link of: #33, owner/name#33, a URL.
_REFERENCE = re.compile(r"(?:[\w.-]+/[\w.-]+)?#\d+|https?://[^\s<>()\[\]]+")


def body(order: TaskOrder, work: WorkReport, secrets: Collection[str] = ()) -> str:
    """The whole body, at most MAX_BODY characters, in Markdown; its last line is the worker's hidden marker."""
    seen = _redacted(work, secrets)
    sections = (
        ("Commits", _commits(seen)),
        ("Changes", _changes(seen)),
        ("Gates", _gates(seen)),
        ("How it was made", redact(_how(order, seen), secrets)),
    )
    tail = "\n".join(f"## {title}\n{text}\n" for title, text in sections if text)
    tail = f"{_epic(order, secrets)}\n{tail}\n{marker(order.worker)}\n"
    asked = redact(order.task.description.strip(), secrets)
    return f"{_cut_text(asked, MAX_BODY - len(tail) - 1)}\n{tail}"


def _redacted(work: WorkReport, secrets: Collection[str]) -> WorkReport:
    commits = tuple(
        one.model_copy(update={"subject": redact(one.subject, secrets)[:_MAX_SUBJECT]}) for one in work.commits
    )
    gates = tuple(
        gate.model_copy(update={"name": redact(gate.name, secrets), "output": redact(gate.output, secrets)})
        for gate in work.gates
    )
    stat = redact(work.diff_stat, secrets)
    return work.model_copy(update={"commits": commits, "gates": gates, "diff_stat": stat})


def _epic(order: TaskOrder, secrets: Collection[str]) -> str:
    """A line that GitHub makes a link of, and that closes nothing: the epic goes on."""
    epic = " ".join(redact(order.metadata.epic or "", secrets).split())
    if not epic:
        return ""
    shown = epic if _REFERENCE.fullmatch(epic) else escaped(epic)
    return f"\nEpic: {shown}\n"


def _commits(work: WorkReport) -> str:
    def show(count: int) -> str:
        return commit_list(work.model_copy(update={"commits": work.commits[:count]}))

    return _cut_items(len(work.commits), show, _MAX_COMMITS, "- … not shown: {} commits")


def _changes(work: WorkReport) -> str:
    """What git says of the files; its last line, the sum, is always shown."""
    lines = work.diff_stat.strip("\n").splitlines()
    files, total = lines[:-1], lines[-1:]

    def show(count: int) -> str:
        return diff_stat(work.model_copy(update={"diff_stat": "\n".join((*files[:count], *total))}))

    return _cut_items(len(files), show, _MAX_STAT, "… not shown: {} files")


def _gates(work: WorkReport) -> str:
    def show(count: int) -> str:
        return gate_table(work.model_copy(update={"gates": work.gates[:count]}))

    return _cut_items(len(work.gates), show, _MAX_GATES, "\n… not shown: {} gates")


def _how(order: TaskOrder, work: WorkReport) -> str:
    rounds = "1 round" if work.rounds == 1 else f"{work.rounds} rounds"
    spent = f", {duration(work.agent_seconds)} at work" if work.agent_seconds else ""
    return (
        f"Task {code(order.task.id)} of batch {code(order.batch)}, done by agent {code(order.task.agent)} in {rounds}"
        f"{spent}: branch {code(order.branch)} from {code(work.base_sha[:12])} into {code(order.base_branch)}. "
        f"Opened by parallel-workers, worker {code(order.worker)}."
    )


def _cut_items(count: int, show: Callable[[int], str], limit: int, more: str) -> str:
    """As many of `count` items as `limit` characters hold, and a line that says how many are left out."""
    whole = show(count)
    if len(whole) <= limit:
        return whole
    few, many = 0, count
    while few + 1 < many:
        middle = (few + many) // 2
        few, many = (middle, many) if len(show(middle)) <= limit else (few, middle)
    left_out = more.format(f"{count - few} of {count}")
    return f"{show(few)}\n{left_out}" if few else left_out


def _cut_text(text: str, limit: int) -> str:
    closed = _closed(text)
    if len(closed) <= limit:
        return closed
    note = "\n\n… the rest of the description is left out: too long for a pull request"
    for kept in range(limit - len(note), 0, -_MAX_CLOSING):
        closed = _closed(text[:kept].rstrip())
        if len(closed) + len(note) <= limit:
            return closed + note
    return note.strip()[: max(limit, 0)]


def _closed(text: str) -> str:
    """The text with its last code block or comment ended: what follows it would be swallowed."""
    fence = ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if found is None:
            continue
        if not fence:
            fence = found[1]
        elif found[1][0] == fence[0] and len(found[1]) >= len(fence) and not found[2].strip():
            fence = ""
    if fence:
        return f"{text}\n{fence}"
    return text if text.rfind("<!--") <= text.rfind("-->") else f"{text} -->"
