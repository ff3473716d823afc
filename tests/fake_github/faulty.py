"""Carries faults out, before and after a request is done."""

from __future__ import annotations

import re
import time

from tests.fake_github.connection import DECLARED_LENGTH, BrokenOff
from tests.fake_github.faults import FaultKind, Faults
from tests.fake_github.git_http import RawAnswer
from tests.fake_github.json_answers import json_answer

_HTML = b"<html>\n<head><title>502 Bad Gateway</title></head>\n<body>Unicorn!</body>\n</html>\n"
SECONDARY_TEXT = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID 0000:0000."
)
SECONDARY_DOCS = (
    "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits"
)


def bad_gateway() -> RawAnswer:
    """A 502 as GitHub's front end says it: HTML."""
    return RawAnswer(502, {"Content-Type": "text/html; charset=utf-8"}, _HTML)


def before_doing(faults: Faults, fault: FaultKind | None) -> RawAnswer | None:
    """The answer of a fault that keeps the request from being done; None to do it.

    Raises:
        BrokenOff: for a connection that is reset.
    """
    if fault is FaultKind.RESET:
        raise BrokenOff("reset")
    if fault is FaultKind.BAD_GATEWAY:
        return bad_gateway()
    if fault is FaultKind.FORBIDDEN:
        return json_answer(403, {"message": "Resource not accessible by personal access token"})
    if fault is FaultKind.NOT_FOUND:
        return json_answer(404, {"message": "Not Found"})
    if fault is FaultKind.OTHER_SERVER:
        return json_answer(301, {"message": "Moved Permanently"}, {"Location": "http://elsewhere.invalid/api/v3/"})
    if fault is FaultKind.SLOW:
        time.sleep(faults.slow_seconds)
    statuses = {FaultKind.SECONDARY: 403, FaultKind.SECONDARY_SILENT: 403}
    statuses |= {FaultKind.TOO_MANY: 429, FaultKind.TOO_MANY_SILENT: 429}
    if fault not in statuses:
        return None
    says_when = fault in {FaultKind.SECONDARY, FaultKind.TOO_MANY}
    headers = {"Retry-After": str(faults.retry_after_seconds)} if says_when else {}
    return json_answer(statuses[fault], {"message": SECONDARY_TEXT, "documentation_url": SECONDARY_DOCS}, headers)


def after_doing(fault: FaultKind | None, answer: RawAnswer) -> RawAnswer:
    """What is told of a request that was done. Raises BrokenOff when nothing is told."""
    if fault is FaultKind.LOST:
        raise BrokenOff("closed")
    if fault is FaultKind.LOST_502:
        return bad_gateway()
    if fault is FaultKind.NEXT_ELSEWHERE and "Link" in answer.headers:
        link = re.sub("<https?://[^/]+/api/v3", "<https://elsewhere.invalid", answer.headers["Link"])
        return answer._replace(headers=answer.headers | {"Link": link})
    if fault is FaultKind.CUT_SHORT and answer.body:
        headers = answer.headers | {DECLARED_LENGTH: str(len(answer.body))}
        return answer._replace(headers=headers, body=answer.body[: len(answer.body) // 2])
    return answer
