"""Answers in JSON, with the headers that GitHub sends with each."""

from __future__ import annotations

import itertools
import json
from typing import Any

from tests.fake_github.git_http import RawAnswer

_request_numbers = itertools.count(1)


def json_answer(status: int, body: Any, headers: dict[str, str] | None = None) -> RawAnswer:
    """Body (None for none) as JSON."""
    number = next(_request_numbers)
    common = {
        "Server": "github.com",
        "Content-Type": "application/json; charset=utf-8",
        "X-GitHub-Api-Version-Selected": "2022-11-28",
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-GitHub-Request-Id": f"FAKE:{number:08X}",
    }
    raw = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    return RawAnswer(status, common | (headers or {}), raw)
