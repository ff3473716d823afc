"""When to kill: seeded, so that what was found can be looked at again."""

from __future__ import annotations

import random

_LONGEST_SECONDS = 2.5
"""From the first sign that the engine has begun with the batch; an undisturbed run of a scene takes less."""


def draw_delays(seed: int, count: int, longest_seconds: float = _LONGEST_SECONDS) -> tuple[float, ...]:
    """So many delays in seconds. Squared: most of what happens, happens soon."""
    drawn = random.Random(seed)  # noqa: S311 - chosen, not secret
    return tuple(round(longest_seconds * drawn.random() ** 2, 3) for _ in range(count))
