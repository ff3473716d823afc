"""How long to wait until the next look at pull requests."""

from __future__ import annotations

_PROMPT_LOOKS = 24
_GROWTH = 1.25
_SLOWEST = 12.0
_LOOKS_TO_SLOWEST = 12


def decide_pause(poll_seconds: float, quiet_looks: int) -> float:
    """Seconds until the next look, when the last `quiet_looks` looks in a row showed nothing new.

    Two minutes of a look every 5 seconds, then ever more seldom, down to one a minute. What moves makes it
    prompt again.
    """
    slower = _GROWTH ** min(max(0, quiet_looks - _PROMPT_LOOKS), _LOOKS_TO_SLOWEST)
    return poll_seconds * min(slower, _SLOWEST)
