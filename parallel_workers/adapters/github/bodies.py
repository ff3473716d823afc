"""The text of a pull request as GitHub keeps it: ours, the worker's marker, and why it was closed. Pure."""

from __future__ import annotations

import hashlib
import re

from parallel_workers.pull_request_marker import find_marker, marker

TITLE_MAX_CHARS = 256
BODY_MAX_CHARS = 65_536

_CUT = "\n\n… (cut: GitHub takes no longer texts)"
_CLOSED = re.compile(
    r"\r?\n<!-- parallel-workers closed -->\r?\n> Closed by parallel-workers: (?P<reason>.*)\Z", re.DOTALL
)
_SEAL = re.compile(r"\r?\n<!-- parallel-workers title=(?P<title>[0-9a-f]{12}) text=(?P<text>[0-9a-f]{12}) -->")
_NOT_OURS = "0" * 12
_RESERVED_CHARS = 1_000
"""Kept free for the reason of a later closing."""


def written_title(title: str) -> str:
    """The title, on one line and not longer than GitHub takes."""
    line = " ".join(title.split())
    return line if len(line) <= TITLE_MAX_CHARS else f"{line[: TITLE_MAX_CHARS - 1]}…"


def written_body(title: str, body: str, worker: str) -> str:
    """The body with the worker's marker, once, and not longer than GitHub takes.

    Below it stands what title and text were, so that what a person changes is seen and left alone.
    """
    suffix = "" if not worker or find_marker(body) == worker else f"\n{marker(worker)}"
    most = BODY_MAX_CHARS - _RESERVED_CHARS - len(suffix)
    if len(body) > most:
        suffix = suffix or (f"\n{marker(worker)}" if worker else "")
        body = body[: BODY_MAX_CHARS - _RESERVED_CHARS - len(suffix) - len(_CUT)] + _CUT
    text = f"{body}{suffix}"
    return f"{text}{_seal(_digest(written_title(title)), _digest(text))}" if worker else text


def adopted_body(written: str | None, worker: str) -> str:
    """A person's text with the worker's marker below; title and text stay that person's."""
    return f"{written or ''}\n{marker(worker)}{_seal(_NOT_OURS, _NOT_OURS)}" if worker else written or ""


def is_title_ours(title: str, written: str | None) -> bool:
    """Whether nobody changed the title since we wrote it, as far as can be told."""
    seal = _SEAL.search(written or "")
    return seal is None or seal["title"] == _digest(title)


def is_text_ours(written: str | None) -> bool:
    """Whether nobody changed the text since we wrote it, as far as can be told."""
    seal = _SEAL.search(written or "")
    return seal is None or seal["text"] == _digest(_SEAL.sub("", written or ""))


def _seal(title: str, text: str) -> str:
    return f"\n<!-- parallel-workers title={title} text={text} -->"


def _digest(text: str) -> str:
    return hashlib.sha256(text.replace("\r\n", "\n").strip().encode()).hexdigest()[: len(_NOT_OURS)]


def closed_body(written: str, reason: str) -> str:
    """A body as it is on GitHub, with the reason of closing below."""
    text = _CLOSED.sub("", written)
    line = " ".join(reason.split())[: _RESERVED_CHARS - 200]
    return f"{text}\n<!-- parallel-workers closed -->\n> Closed by parallel-workers: {line}"


def read_body(written: str | None) -> str:
    """What the worker wrote: without what was added here."""
    text = _SEAL.sub("", _CLOSED.sub("", written or ""))
    worker = find_marker(text)
    return text.removesuffix(f"\n{marker(worker)}") if worker else text


def read_reason(written: str | None) -> str:
    """Why we closed it; '' when we did not, or gave no reason."""
    match = _CLOSED.search(written or "")
    return match["reason"].strip() if match else ""
