"""Which errors a second try may heal: one table."""

from __future__ import annotations

import asyncio
import errno
import socket
import subprocess

import httpx
import pytest
from github import GithubException, RateLimitExceededException, UnknownObjectException

from parallel_workers.decisions.retrying import should_retry
from parallel_workers.errors import (
    AgentFailedError,
    BaseBranchError,
    ForgeError,
    GateFailedError,
    GitCommandError,
    InvalidSpecError,
    MergeConflictError,
    UsageError,
)

REQUEST = httpx.Request("GET", "http://localhost")


def status(code: int) -> httpx.HTTPStatusError:
    return httpx.HTTPStatusError("no", request=REQUEST, response=httpx.Response(code, request=REQUEST))


def caused_by(cause: BaseException) -> Exception:
    error = RuntimeError("the server could not be reached")
    error.__cause__ = cause
    return error


def circular() -> Exception:
    one, two = RuntimeError("one"), RuntimeError("two")
    one.__cause__, two.__cause__ = two, one
    return one


@pytest.mark.parametrize(
    "error",
    [
        ForgeError("rate limit", transient=True),
        GitCommandError(("git", "fetch"), 128, "", "fatal: Could not resolve host: example.invalid"),
        GitCommandError(("git", "worktree"), 128, "", "Unable to create '.git/index.lock': File exists"),
        ConnectionRefusedError(),
        ConnectionResetError(),
        BrokenPipeError(),
        TimeoutError(),
        OSError(errno.ENETUNREACH, "Network is unreachable"),
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.EAGAIN, "Resource temporarily unavailable"),
        OSError(errno.ETXTBSY, "Text file busy"),
        socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
        httpx.ConnectError("no"),
        httpx.ReadTimeout("no"),
        httpx.PoolTimeout("no"),
        httpx.RemoteProtocolError("no"),
        *(status(code) for code in (408, 429, 500, 502, 503, 504)),
        caused_by(httpx.ConnectError("no")),
        caused_by(caused_by(ConnectionResetError())),
        ExceptionGroup("all", [ConnectionResetError(), TimeoutError()]),
    ],
    ids=repr,
)
def test_transient(error: BaseException) -> None:
    assert should_retry(error) is True


@pytest.mark.parametrize(
    "error",
    [
        ForgeError("not found"),
        MergeConflictError("conflict", ("a.txt",)),
        GitCommandError(("git", "push"), 1, "", "! [rejected] main -> main (non-fast-forward)"),
        AgentFailedError("ended 1"),
        GateFailedError("tests"),
        BaseBranchError("no such branch"),
        InvalidSpecError(()),
        UsageError("no"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        PermissionError(errno.EACCES, "Permission denied"),
        IsADirectoryError(errno.EISDIR, "Is a directory"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("without a number"),
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        httpx.UnsupportedProtocol("no"),
        httpx.InvalidURL("no"),
        *(status(code) for code in (400, 401, 403, 404, 409, 422)),
        subprocess.CalledProcessError(1, "x"),
        ValueError("a bug"),
        KeyError("a bug"),
        MemoryError(),
        caused_by(ValueError("a bug")),
        circular(),
        ExceptionGroup("some", [ConnectionResetError(), ValueError("a bug")]),
        KeyboardInterrupt(),
        SystemExit(1),
        GeneratorExit(),
        asyncio.CancelledError(),
    ],
    ids=repr,
)
def test_permanent(error: BaseException) -> None:
    assert should_retry(error) is False


def test_our_own_word_goes_over_what_caused_it() -> None:
    error = ForgeError("the token is not accepted")
    error.__cause__ = ConnectionResetError()
    assert should_retry(error) is False


def test_pygithubs_errors_are_judged_by_their_status() -> None:
    assert should_retry(GithubException(502, {"data": "<html>"}))
    assert should_retry(RateLimitExceededException(403, {"message": "API rate limit exceeded"}))
    assert not should_retry(GithubException(422, {"message": "Validation Failed"}))
    assert not should_retry(UnknownObjectException(404, {"message": "Not Found"}))
