"""Faults on demand, or by a seeded chance."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong with a request."""

    BAD_GATEWAY = "502, nothing was done"
    RESET = "connection reset, nothing was done"
    LOST = "done, then the connection is closed without an answer"
    LOST_502 = "done, then 502"
    SLOW = "done after a delay"
    CUT_SHORT = "done, the body ends early"
    SECONDARY = "403 secondary limit with Retry-After"
    SECONDARY_SILENT = "403 secondary limit without Retry-After"
    TOO_MANY = "429 with Retry-After"
    TOO_MANY_SILENT = "429 without Retry-After"
    FORBIDDEN = "403 for a permission that the token has not, nothing was done"
    NOT_FOUND = "404 of a server that does not know yet what was just made, nothing was done"
    OTHER_SERVER = "301 to another server, nothing was done"
    NEXT_ELSEWHERE = "done, and the next page is said to be on another server"
    DUPLICATE = "delivered twice; the second answer is told"


@dataclass
class _Planned:
    kind: FaultKind
    method: str
    path: re.Pattern[str]
    times: int
    skip: int


@dataclass
class _Chance:
    source: random.Random
    share: float
    kinds: tuple[FaultKind, ...]
    path: re.Pattern[str]


@dataclass
class Faults:
    """Decides for each request which fault it meets, if any. Call it under the world's lock."""

    retry_after_seconds: int = 1
    slow_seconds: float = 0.3
    done: Counter[FaultKind] = field(default_factory=Counter)
    """How often each fault has happened."""
    _planned: list[_Planned] = field(default_factory=list)
    _chance: _Chance | None = None

    def next(self, kind: FaultKind, *, method: str = "", path: str = "", times: int = 1, skip: int = 0) -> None:
        """The next `times` requests of this method and path (a regular expression searched in it) meet this fault.

        `skip` of them pass before.
        """
        self._planned.append(_Planned(kind, method, re.compile(path), times, skip))

    def random(self, seed: int, share: float, kinds: Sequence[FaultKind], *, path: str = "") -> None:
        """From now on this share of requests meets one of these faults; the same seed gives the same sequence."""
        self._chance = _Chance(random.Random(seed), share, tuple(kinds), re.compile(path))  # noqa: S311 (not a secret)

    def clear(self) -> None:
        """No faults from now on."""
        self._planned.clear()
        self._chance = None

    def choose(self, method: str, path: str) -> FaultKind | None:
        """The fault of this request."""
        kind = self._choose_planned(method, path) or self._choose_by_chance(path)
        if kind is not None:
            self.done[kind] += 1
        return kind

    def _choose_planned(self, method: str, path: str) -> FaultKind | None:
        for planned in self._planned:
            if planned.method in {"", method} and planned.path.search(path):
                if planned.skip:
                    planned.skip -= 1
                    continue
                planned.times -= 1
                if not planned.times:
                    self._planned.remove(planned)
                return planned.kind
        return None

    def _choose_by_chance(self, path: str) -> FaultKind | None:
        chance = self._chance
        if chance is None or not chance.path.search(path) or chance.source.random() >= chance.share:
            return None
        return chance.source.choice(chance.kinds)
