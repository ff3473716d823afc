"""Logs of jobs, behind a link that needs no credential for a short while, as GitHub's store of logs has it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from tests.fake_github.git_http import RawAnswer
from tests.fake_github.values import CheckRun

if TYPE_CHECKING:
    from tests.fake_github.server import FakeGitHub

LOGS_PATH = "/_logs/"


def _signature(run: CheckRun) -> str:
    return hashlib.sha256(f"log-{run.id}-{run.head_sha}".encode()).hexdigest()[:32]


def log_link(server: FakeGitHub, run: CheckRun) -> str:
    """The link that `GET actions/jobs/{id}/logs` leads to."""
    return f"{server.url}{LOGS_PATH}{run.id}?sig={_signature(run)}"


def find_run(server: FakeGitHub, number: int) -> CheckRun | None:
    """The check run of this id in any repository."""
    states = server.repositories.values()
    every = (run for state in states for runs in state.check_runs.values() for run in runs)
    return next((run for run in every if run.id == number), None)


def read_log(server: FakeGitHub, parts: SplitResult, authorization: str) -> RawAnswer:
    """The log as text, for who has the link; as in life it refuses a credential that is not its own."""
    if authorization:
        return RawAnswer(400, {"Content-Type": "application/xml"}, b"<Error>InvalidAuthenticationInfo</Error>")
    with server.world.lock:
        name = parts.path.removeprefix(LOGS_PATH)
        run = find_run(server, int(name)) if name.isdecimal() else None
        if run is None or parts.query != f"sig={_signature(run)}":
            return RawAnswer(403, {"Content-Type": "application/xml"}, b"<Error>AuthenticationFailed</Error>")
        return RawAnswer(200, {"Content-Type": "text/plain; charset=utf-8"}, run.report.log.encode())
