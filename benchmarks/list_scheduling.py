"""The bound that a batch without engine costs would reach: Graham's list scheduling."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def makespan(durations: Sequence[float], workers: int) -> float:
    """How long independent tasks take when each begins, in list order, as soon as one of `workers` is free."""
    free_at = [0.0] * workers
    for duration in durations:
        heapq.heapreplace(free_at, free_at[0] + duration)
    return max(free_at)
