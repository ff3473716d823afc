"""What the person who starts the benchmarks may choose."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """`scale` shortens the sleeping agents; `quick` also leaves out what can be computed, and repeats less.

    `sizes` are the batches of no-op tasks whose cost per task is compared.
    """

    quick: bool = False
    scale: float = 1.0
    sizes: tuple[int, ...] = (10, 50, 200)
    in_flight: int = 50

    @property
    def start_ups(self) -> int:
        """How often a start-up is timed."""
        return 5 if self.quick else 10

    def repeats(self, tasks: int) -> int:
        """How often a batch of so many tasks is run for its median: small ones vary more and cost less."""
        return 1 if self.quick else max(1, min(3, 100 // tasks))
