"""GitHub's secondary limits, for tests that want them enforced."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tests.fake_github.clock import Clock

_MINUTE, _HOUR = 60.0, 3600.0


@dataclass
class SecondaryLimits:
    """Off until `enforce`. GitHub's documented numbers: 900 points and 80 creations a minute, 500 creations an hour."""

    clock: Clock
    points_per_minute: float = float("inf")
    creations_per_minute: float = float("inf")
    creations_per_hour: float = float("inf")
    refused: int = 0
    """How many requests were over a limit."""
    _points: deque[tuple[float, int]] = field(default_factory=deque)
    _creations: deque[float] = field(default_factory=deque)

    def enforce(self, *, points_per_minute: int = 900, creations_per_minute: int = 80, per_hour: int = 500) -> None:
        """From now on."""
        self.points_per_minute = points_per_minute
        self.creations_per_minute = creations_per_minute
        self.creations_per_hour = per_hour

    def take(self, points: int, *, creates: bool) -> int:
        """Count a request; 0, or the seconds to wait when it is over a limit and must not be done."""
        now = self.clock.seconds()
        while self._points and self._points[0][0] <= now - _MINUTE:
            self._points.popleft()
        while self._creations and self._creations[0] <= now - _HOUR:
            self._creations.popleft()
        wait = self._wait(now, points, creates=creates)
        if wait:
            self.refused += 1
            return wait
        self._points.append((now, points))
        if creates:
            self._creations.append(now)
        return 0

    def _wait(self, now: float, points: int, *, creates: bool) -> int:
        if sum(spent for _, spent in self._points) + points > self.points_per_minute:
            return int(self._points[0][0] + _MINUTE - now) + 1
        if not creates:
            return 0
        if len(self._creations) + 1 > self.creations_per_hour:
            return int(self._creations[0] + _HOUR - now) + 1
        recent = [at for at in self._creations if at > now - _MINUTE]
        if len(recent) + 1 > self.creations_per_minute:
            return int(recent[0] + _MINUTE - now) + 1
        return 0
