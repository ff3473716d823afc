"""Who of a batch ran when: the measured times of its workers, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple


class Phase(StrEnum):
    """What a worker was doing in a span. The last four are ends: their spans take no time."""

    WAITING = "WAITING"
    NEEDS_INIT = "NEEDS_INIT"
    WORKING = "WORKING"
    PR_OPEN = "PR_OPEN"
    MERGED = "MERGED"
    NO_CHANGE = "NO_CHANGE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


WORK_PHASES = frozenset({Phase.NEEDS_INIT, Phase.WORKING})
"""Phases in which a worker holds a slot."""

END_PHASES = frozenset({Phase.MERGED, Phase.NO_CHANGE, Phase.FAILED, Phase.CANCELLED})


class TimelineSpan(NamedTuple):
    """A worker was in `state` (a `Phase`) from `begin` to `end`, both with a time zone."""

    state: str
    begin: datetime
    end: datetime


class TimelineEntry(NamedTuple):
    """One task: `result` as in `TaskOutcome`, or how it stands now; `spans` by time, none when it never ran."""

    task_id: str
    result: str
    dependencies: tuple[str, ...]
    spans: tuple[TimelineSpan, ...]

    @property
    def begin(self) -> datetime | None:
        """When a worker first had it in hand; before that it waited."""
        return next((span.begin for span in self.spans if span.state != Phase.WAITING), None)

    @property
    def end(self) -> datetime | None:
        """When it ended, or the last that is known of it."""
        return max((span.end for span in self.spans), default=None)


class Step(NamedTuple):
    """A task on the critical path. Seconds: waiting for a slot after its dependencies were done, at work, in review."""

    task_id: str
    waited: float
    worked: float
    reviewed: float
    end: datetime


class SlotCount(NamedTuple):
    """From `at` on, `at_work` workers held a slot."""

    at: datetime
    at_work: int


class Slots(NamedTuple):
    """How many were at work. Seconds; `busy_seconds` is the time in which anyone was."""

    counts: tuple[SlotCount, ...]
    peak: int
    work_seconds: float
    busy_seconds: float
    wall_seconds: float

    @property
    def mean(self) -> float:
        """How many were at work on average, while anyone was."""
        return self.work_seconds / self.busy_seconds if self.busy_seconds else 0.0

    @property
    def speed_up(self) -> float:
        """Work time over wall time: how many times quicker than one task after the other without any waiting."""
        return self.work_seconds / self.wall_seconds if self.wall_seconds else 0.0


def extent(entries: Iterable[TimelineEntry]) -> tuple[datetime, datetime] | None:
    """The first and the last moment that any entry tells of; None when no task ever ran."""
    spans = [span for entry in entries for span in entry.spans]
    return (min(span.begin for span in spans), max(span.end for span in spans)) if spans else None


def ready_at(entry: TimelineEntry, entries: Sequence[TimelineEntry]) -> datetime | None:
    """When the last of its dependencies ended; without dependencies that ran, when the batch began."""
    ends = [other.end for other in entries if other.task_id in entry.dependencies and other.end is not None]
    whole = extent(entries)
    return max(ends, default=whole[0] if whole else None)


def critical_path(entries: Sequence[TimelineEntry]) -> tuple[Step, ...]:
    """The chain of dependencies that decided when the batch ended, first task first.

    From the task that ended last back to whichever of its dependencies ended last, and so on; on a tie the one that
    comes first in the batch.
    """
    by_id = {entry.task_id: entry for entry in entries if entry.end is not None}
    chain: list[TimelineEntry] = []
    last = _last_to_end(by_id.values())
    while last is not None and last not in chain:
        chain.append(last)
        last = _last_to_end(other for other in by_id.values() if other.task_id in chain[-1].dependencies)
    return tuple(_step(entry, entries) for entry in reversed(chain))


def _last_to_end(entries: Iterable[TimelineEntry]) -> TimelineEntry | None:
    last: TimelineEntry | None = None
    for entry in entries:
        if entry.end is not None and (last is None or last.end is None or entry.end > last.end):
            last = entry
    return last


def _step(entry: TimelineEntry, entries: Sequence[TimelineEntry]) -> Step:
    ready, begin, end = ready_at(entry, entries), entry.begin, entry.end
    assert end is not None  # noqa: S101 - only entries that ran are on the path
    waited = (begin - ready).total_seconds() if begin is not None and ready is not None else 0.0
    reviewed = _seconds(entry, frozenset({Phase.PR_OPEN}))
    return Step(entry.task_id, max(waited, 0.0), _seconds(entry, WORK_PHASES), reviewed, end.astimezone(UTC))


def _seconds(entry: TimelineEntry, phases: frozenset[Phase]) -> float:
    return sum(((span.end - span.begin) for span in entry.spans if span.state in phases), timedelta()).total_seconds()


def count_slots(entries: Sequence[TimelineEntry]) -> Slots:
    """How many workers were at work at each moment of the batch."""
    changes: dict[datetime, int] = {}
    for entry in entries:
        for span in entry.spans:
            if span.state in WORK_PHASES:
                changes[span.begin] = changes.get(span.begin, 0) + 1
                changes[span.end] = changes.get(span.end, 0) - 1
    counts: list[SlotCount] = []
    at_work = 0
    for at in sorted(changes):
        at_work += changes[at]
        if not counts or counts[-1].at_work != at_work:
            counts.append(SlotCount(at, at_work))
    return _slots(tuple(counts), extent(entries))


def _slots(counts: tuple[SlotCount, ...], whole: tuple[datetime, datetime] | None) -> Slots:
    lengths = [(now.at_work, (after.at - now.at).total_seconds()) for now, after in pairwise(counts)]
    return Slots(
        counts=counts,
        peak=max((count.at_work for count in counts), default=0),
        work_seconds=sum(at_work * seconds for at_work, seconds in lengths),
        busy_seconds=sum(seconds for at_work, seconds in lengths if at_work),
        wall_seconds=(whole[1] - whole[0]).total_seconds() if whole else 0.0,
    )
