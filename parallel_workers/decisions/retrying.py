"""Whether trying the same step again may help."""

from __future__ import annotations

import errno
import socket

from parallel_workers.errors import ParallelWorkersError

_TRANSIENT_ERRNO = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EINTR,
        errno.ETIMEDOUT,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENETRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EADDRNOTAVAIL,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.ESTALE,
        errno.ETXTBSY,
    }
)

# HTTP clients are known by their classes' names, so that the domain needs none of them installed:
# httpx (https://www.python-httpx.org/exceptions/), httpcore, requests and urllib3; so is PyGithub, whose errors
# carry a `status` of their own.
_TRANSIENT_NAMES = frozenset(
    {
        "TimeoutException",
        "NetworkError",
        "RemoteProtocolError",
        "ConnectionError",
        "Timeout",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "NewConnectionError",
        "ProtocolError",
        "ChunkedEncodingError",
    }
)
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_CAUSES = 10


def should_retry(error: BaseException) -> bool:
    """Whether `error` is of the kind that goes away by itself; what nobody knows is taken as permanent.

    Our own errors say so themselves (`transient`). Exits, cancellations and interrupts are never retried. An
    exception group is transient when all its members are. An unknown error is judged by its explicit cause.
    """
    looked_at = 0
    current: BaseException | None = error
    while current is not None and looked_at < _MAX_CAUSES:
        verdict = _judge(current)
        if verdict is not None:
            return verdict
        current = current.__cause__
        looked_at += 1
    return False


def _judge(error: BaseException) -> bool | None:
    """True transient, False permanent, None not known."""
    match error:
        case ParallelWorkersError():
            verdict: bool | None = error.transient
        case BaseExceptionGroup():
            verdict = all(should_retry(member) for member in error.exceptions)
        case Exception():
            verdict = _judge_foreign(error)
        case _:
            verdict = False
    return verdict


def _judge_foreign(error: Exception) -> bool | None:
    names = {kind.__name__ for kind in type(error).__mro__}
    status = getattr(getattr(error, "response", None), "status_code", None)
    if "GithubException" in names:
        status = getattr(error, "status", None)
    if isinstance(status, int):
        return status in _TRANSIENT_STATUS or "RateLimitExceededException" in names
    if names & _TRANSIENT_NAMES:
        return True
    return _is_transient_os_error(error) if isinstance(error, OSError) else None


def _is_transient_os_error(error: OSError) -> bool:
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    return isinstance(error, (ConnectionError, TimeoutError, InterruptedError, BlockingIOError)) or (
        error.errno in _TRANSIENT_ERRNO
    )
