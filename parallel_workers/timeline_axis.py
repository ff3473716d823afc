"""The time axis of a timeline: where a moment is in the picture, and where its ticks are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(_MINUTE * many for many in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * many for many in (1, 2, 3, 6, 12)),
    *(_DAY * many for many in (1, 2, 7, 14, 28)),
)
_MOST_TICKS = 7


class Tick(NamedTuple):
    """A mark at `x`, and what stands under it."""

    x: float
    text: str


class Axis:
    """Maps moments from `begin` to `end` onto x from `left` to `right`, linearly."""

    def __init__(self, begin: datetime, end: datetime, left: float, right: float) -> None:
        self.begin = begin
        self.left, self.right = left, right
        self.seconds = max((end - begin).total_seconds(), 0.001)

    def x(self, moment: datetime) -> float:
        """Where `moment` is; what lies outside is put on the nearest edge."""
        part = (moment - self.begin).total_seconds() / self.seconds
        return self.left + min(max(part, 0.0), 1.0) * (self.right - self.left)

    def ticks(self) -> Iterator[Tick]:
        """At most eight ticks at round times since the begin."""
        step = next((step for step in _STEPS if self.seconds / step <= _MOST_TICKS), 28 * _DAY)
        while self.seconds / step > _MOST_TICKS:
            step *= 2
        for index in range(int(self.seconds / step) + 1):
            since = index * step
            yield Tick(self.left + since / self.seconds * (self.right - self.left), _tick_text(since, step))


def _tick_text(since: float, step: float) -> str:
    if since == 0:
        return "0"
    if step < 1:
        return f"{since:.1f} s"
    for length, name, smaller in ((_DAY, "d", _HOUR), (_HOUR, "h", _MINUTE), (_MINUTE, "min", 1)):
        if since >= length:
            many, rest = divmod(int(since), length)
            return f"{many} {name}" if rest == 0 else f"{many}:{rest // smaller:02} {name}"
    return f"{int(since)} s"
