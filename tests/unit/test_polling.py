"""Looks become seldom while nothing changes, and never stop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parallel_workers.decisions.polling import decide_pause


def test_two_minutes_long_every_look_is_prompt() -> None:
    assert [decide_pause(5.0, quiet) for quiet in range(25)] == [5.0] * 25


@given(st.floats(0.1, 60), st.integers(0, 100_000))
def test_pauses_only_grow_and_have_an_end(poll_seconds: float, quiet_looks: int) -> None:
    now, later = decide_pause(poll_seconds, quiet_looks), decide_pause(poll_seconds, quiet_looks + 1)
    assert poll_seconds <= now <= later <= 12 * poll_seconds
