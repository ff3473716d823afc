"""Time as this adapter sees it, so that tests can be hours long in a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple


class Timing(NamedTuple):
    """`now` in seconds since the epoch, as GitHub's reset times are; `sleep` pauses the calling thread."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


REAL_TIME = Timing()


def as_time(seconds: float) -> datetime:
    """Seconds since the epoch as an aware time."""
    return datetime.fromtimestamp(seconds, UTC)


def as_clock(seconds: float) -> str:
    """`14:05`, by this machine's clock and time zone: what a person reads."""
    return as_time(seconds).astimezone().strftime("%H:%M")
