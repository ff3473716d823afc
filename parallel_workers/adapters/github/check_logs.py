"""The end of what a failed check said."""

from __future__ import annotations

import re
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import requests
from loguru import logger

from parallel_workers.adapters.github.api import RepositoryApi
from parallel_workers.adapters.github.connection import TIMEOUT_SECONDS
from parallel_workers.adapters.github.snapshots import RUN_KEY
from parallel_workers.errors import ForgeError
from parallel_workers.pull_request_snapshots import Check
from parallel_workers.redaction import redact

_PIECE_BYTES = 64 * 1024
_READ_MOST_BYTES = 64 * 1024 * 1024
"""Of a longer log the rest is not read; its end is lost, and this much of it said."""
_BYTES_PER_CHAR = 4
_PART_OF_WORD = re.compile(r"\A[\w.+/=~-]+")


def fetch_check_log(api: RepositoryApi, check: Check, max_chars: int) -> str:
    """See ports.Forge: the log of a job of GitHub Actions, else what the check run says of itself.

    Raises:
        ForgeBusyError: GitHub's limit is used up.
    """
    if not check.key.startswith(RUN_KEY) or max_chars <= 0:
        return ""
    number = check.key.removeprefix(RUN_KEY)
    text = _job_log(api, check, number, max_chars)
    # before it is cut: what is left of a secret afterwards has no shape to know it by
    told = redact(text or _own_words(api, check, number), api.connection.issued_tokens)
    return _end(told.strip(), max_chars)


def _end(text: str, max_chars: int) -> str:
    """The end of a text, without the part of a word that the cut left."""
    if len(text) <= max_chars:
        return text
    kept = text[-max_chars:]
    if _PART_OF_WORD.match(text[-max_chars - 1]):
        kept = _PART_OF_WORD.sub("", kept, count=1)
    return kept.strip()


def _job_log(api: RepositoryApi, check: Check, number: str, max_chars: int) -> str:
    """A job has its check run's number. '' for a check of another app, or when the log is gone or not for us."""
    what = f"read the log of {check.name}"
    answer = api.read(what, f"/actions/jobs/{number}/logs")
    location = answer.headers.get("location", "")
    if answer.status not in {301, 302, 307} or not _is_safe(location, api.connection.hosts.api_url):
        return ""
    try:
        return _read_end(location, max_chars)
    except requests.exceptions.RequestException as error:
        # the address holds a signature: it is not said
        logger.warning("{}: its store answers {}", what, type(error).__name__)
        return ""


def _is_safe(location: str, api_url: str) -> bool:
    scheme = urlsplit(location).scheme
    return scheme == "https" or (scheme == "http" and urlsplit(api_url).scheme == "http")


def _read_end(location: str, max_chars: int) -> str:
    """Stream a text and keep its end. It is another server's: our credential does not go there."""
    kept: deque[bytes] = deque()
    size = total = 0
    with requests.get(location, stream=True, timeout=TIMEOUT_SECONDS, auth=_no_auth, allow_redirects=False) as answer:
        answer.raise_for_status()
        for piece in answer.iter_content(_PIECE_BYTES):
            kept.append(piece)
            size, total = size + len(piece), total + len(piece)
            while size - len(kept[0]) > max_chars * _BYTES_PER_CHAR:
                size -= len(kept.popleft())
            if total > _READ_MOST_BYTES:
                break
    return b"".join(kept).decode("utf-8", "replace")


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Given so that requests does not look for a password in ~/.netrc."""
    return request


def _own_words(api: RepositoryApi, check: Check, number: str) -> str:
    """Title, summary and text of a check run, and its annotations by file and line."""
    try:
        run = api.find(f"read what {check.name} says", f"/check-runs/{number}")
        output = (run or {}).get("output") or {}
        parts = [output.get("title"), output.get("summary"), output.get("text")]
        if output.get("annotations_count"):
            listed = api.get(f"read the remarks of {check.name}", f"/check-runs/{number}/annotations")
            parts += [_annotation(one) for one in listed]
    except ForgeError as error:
        if error.transient:
            raise
        logger.warning("what {} says cannot be read: {}", check.name, error)
        return ""
    return "\n\n".join(str(part) for part in dict.fromkeys(parts) if part)


def _annotation(annotation: dict[str, Any]) -> str:
    return f"{annotation['path']}:{annotation['start_line']}: {annotation['message']}"
