"""What the measured times of a batch tell: critical path, slots, speed-up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_workers.timeline import (
    TimelineEntry,
    TimelineSpan,
    count_slots,
    critical_path,
    extent,
    ready_at,
)

BEGIN = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def entry(task_id: str, *needs: str, work: tuple[float, float], review: float = 0.0) -> TimelineEntry:
    """A merged task: at work in the seconds `work`, then `review` seconds in review."""
    begin, end = work
    spans = (
        TimelineSpan("NEEDS_INIT", at(begin), at(begin)),
        TimelineSpan("WORKING", at(begin), at(end)),
        TimelineSpan("PR_OPEN", at(end), at(end + review)),
        TimelineSpan("MERGED", at(end + review), at(end + review)),
    )
    return TimelineEntry(task_id, "merged", needs, spans)


def test_the_critical_path_goes_back_through_the_dependency_that_ended_last() -> None:
    entries = (
        entry("quick", work=(0, 10)),
        entry("slow", work=(0, 30), review=10),
        entry("last", "quick", "slow", work=(45, 60), review=5),
        entry("aside", work=(10, 50)),
    )
    path = critical_path(entries)
    assert [step.task_id for step in path] == ["slow", "last"]
    assert (path[0].waited, path[0].worked, path[0].reviewed) == (0, 30, 10)
    assert (path[1].waited, path[1].worked, path[1].reviewed) == (5, 15, 5)
    assert path[1].end == at(65)


def test_a_tie_goes_to_the_first_in_the_batch_and_unknown_or_skipped_dependencies_count_for_nothing() -> None:
    skipped = TimelineEntry("skipped", "skipped", ("a",), ())
    entries = (entry("a", work=(0, 10)), entry("b", work=(0, 10)), entry("c", "skipped", "gone", work=(0, 10)), skipped)
    assert [step.task_id for step in critical_path(entries)] == ["a"]
    assert critical_path((skipped,)) == ()


def test_a_dependency_cycle_does_not_hang() -> None:
    entries = (entry("a", "b", work=(0, 10)), entry("b", "a", work=(0, 9)))
    assert [step.task_id for step in critical_path(entries)] == ["b", "a"]


def test_slots_are_counted_while_work_is_done_and_not_in_review() -> None:
    slots = count_slots((entry("a", work=(0, 10), review=90), entry("b", work=(0, 20)), entry("c", work=(50, 60))))
    assert [(count.at, count.at_work) for count in slots.counts] == [
        (at(0), 2),
        (at(10), 1),
        (at(20), 0),
        (at(50), 1),
        (at(60), 0),
    ]
    assert slots.peak == 2
    assert (slots.work_seconds, slots.busy_seconds, slots.wall_seconds) == (40, 30, 100)
    assert slots.mean == pytest.approx(4 / 3)
    assert slots.speed_up == pytest.approx(0.4)


def test_one_that_takes_over_a_slot_in_the_same_instant_makes_no_peak() -> None:
    assert count_slots((entry("a", work=(0, 10)), entry("b", work=(10, 20)))).peak == 1


def test_nothing_ran() -> None:
    entries = (TimelineEntry("a", "skipped", (), ()),)
    slots = count_slots(entries)
    assert extent(entries) is None
    assert ready_at(entries[0], entries) is None
    assert (slots.peak, slots.mean, slots.speed_up) == (0, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 100)), min_size=1, max_size=20))
def test_slots_add_up_to_the_work(spans: list[tuple[int, int]]) -> None:
    entries = tuple(entry(f"T{index}", work=(begin, begin + long)) for index, (begin, long) in enumerate(spans))
    slots = count_slots(entries)
    assert slots.work_seconds == pytest.approx(sum(long for _, long in spans))
    assert slots.busy_seconds <= slots.wall_seconds
    assert slots.mean <= slots.peak <= len(spans)
    assert all(count.at_work >= 0 for count in slots.counts)
