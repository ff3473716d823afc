"""The fake's time: the machine's, moved ahead by tests that do not want to wait."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Time in UTC. Token expiry, limits and delayed CI go by it."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0

    def seconds(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._ahead_seconds

    def advance(self, seconds: float) -> None:
        """Make it later by so much."""
        self._ahead_seconds += seconds

    def stamp(self, later_seconds: float = 0.0) -> str:
        """Now (or later) as GitHub writes it: whole seconds, with a Z."""
        return datetime.fromtimestamp(int(self.seconds() + later_seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
