"""How often something may happen in any stretch of time. Pure but for what it remembers; the caller locks."""

from __future__ import annotations

from collections import deque


class SlidingWindow:
    """At most `limit` (weighted) events in any `seconds`."""

    def __init__(self, limit: float, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._events: deque[tuple[float, float]] = deque()
        self._weight = 0.0

    def free_at(self, now: float, weight: float = 1.0) -> float:
        """The moment from which an event of this weight fits; `now` when it fits already."""
        self._forget(now)
        over = self._weight + weight - self._limit
        if over <= 0:
            return now
        for at, its_weight in self._events:
            over -= its_weight
            if over <= 0:
                return max(now, at + self._seconds)
        return now  # heavier than the whole window: it goes alone

    def add(self, at: float, weight: float = 1.0) -> None:
        """Note an event; it may lie a little ahead."""
        self._events.append((at, weight))
        self._weight += weight

    def _forget(self, now: float) -> None:
        while self._events and self._events[0][0] <= now - self._seconds:
            self._weight -= self._events.popleft()[1]


class Allowance:
    """Fills up by `per_hour`, never beyond `most`; may be overdrawn, which later spending then waits for.

    So in any hour at most `most + per_hour` is spent, as long as nobody spends when `holds` says no.
    """

    def __init__(self, most: float, per_hour: float, now: float) -> None:
        self._most = most
        self._per_second = per_hour / 3600
        self._left = most
        self._at = now

    def left(self, now: float) -> float:
        """What may be spent now; below zero after an overdraft."""
        self._left = min(self._most, self._left + max(0.0, now - self._at) * self._per_second)
        self._at = max(self._at, now)
        return self._left

    def spend(self, amount: float, now: float) -> None:
        """Take it, whether it is there or not."""
        self.left(now)
        self._left -= amount
