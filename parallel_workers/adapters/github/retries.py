"""Trying again: what is sent again, and what is looked for first because it may have been done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout
from urllib3.exceptions import MaxRetryError, NewConnectionError

from parallel_workers.adapters.github.answers import UnknownOutcomeError
from parallel_workers.adapters.github.timing import Timing

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Between tries of a call that may be repeated."""
LOOK_PAUSES_SECONDS = (1.0, 2.0, 4.0)
"""Before looking whether a write whose answer was lost was done: reads lag behind writes a little."""

_T = TypeVar("_T")


def was_never_sent(error: Exception) -> bool:
    """Whether not even a connection came about, so that a write cannot have been done."""
    if isinstance(error, ConnectTimeout):
        return True
    reason = error.args[0] if isinstance(error, RequestsConnectionError) and error.args else None
    return isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError)


def write_once(send: Callable[[], _T], find: Callable[[], _T | None], timing: Timing) -> _T:
    """Do a write that must not be done twice: after a lost answer `find` says what came of it, None for nothing.

    Raises:
        UnknownOutcomeError: it got lost each time.
    """
    for pause in LOOK_PAUSES_SECONDS:
        try:
            return send()
        except UnknownOutcomeError:
            timing.sleep(pause)
            found = find()
            if found is not None:
                return found
    return send()
