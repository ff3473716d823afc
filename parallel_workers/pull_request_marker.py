"""The hidden line in a pull request's body that says whose it is, so that opening it twice ends in one."""

from __future__ import annotations

import re

_MARKER = re.compile(r"<!-- parallel-workers worker=([A-Za-z0-9][A-Za-z0-9-]{0,99}) -->")


def marker(worker: str) -> str:
    """The line for a worker's pull request; a browser does not show it."""
    return f"<!-- parallel-workers worker={worker} -->"


def find_marker(body: str | None) -> str | None:
    """The worker a body names; None without a marker. Ours is the last: text before it may quote one."""
    found = _MARKER.findall(body or "")
    return found[-1] if found else None


def without_marker(body: str) -> str:
    """The body as people are to read it where nothing hides the line, such as in a commit message."""
    return _MARKER.sub("", body).strip()
