"""What the forge was asked for in vain although it showed nothing against it: remembered, so that it ends somewhere.

One entry for each thing asked for, of the head it was asked for last: a push makes a new beginning.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote, unquote

from parallel_workers.decisions.merge_decisions import ReworkMemory

ENOUGH_REFUSALS = 3
"""Then a person is asked. Once may be chance: what a look showed may have changed before the forge was asked."""

ENOUGH_DELAYS = 10
"""Then a person is asked about what only seems to need time: with the pauses between, after some twenty minutes."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
"""Seconds between two tries: twice as long after each."""
_KEPT_SECONDS = 60.0
"""So long a look may lag behind the forge's promise to merge by itself."""
_ENOUGH_LET_GO, _ENOUGH_OUT_OF_QUEUE = 1, 3
"""A person switched it off, and is not overruled. A queue also lets go what failed together with others."""
_MERGE, _UPDATE, _HANDED_OVER = "merge-refused", "update-refused", "handed-over"
_SHOWN_SHA = 12
_MAX_WORDS = 200
_QUEUE = re.compile(r"merge[\s-]*queue", re.IGNORECASE)


class Refusals(NamedTuple):
    """How often it was refused for this head, and what the forge said last."""

    times: int = 0
    words: str = ""

    @property
    def are_enough(self) -> bool:
        """Whether there is no point in asking the forge again."""
        return self.times >= ENOUGH_REFUSALS

    @property
    def ask_for_queue(self) -> bool:
        """Whether it is to be merged by the forge's queue, and by nothing else."""
        return bool(_QUEUE.search(self.words))


class NotYet(StrEnum):
    """What the forge does not do yet, and may do later, though nothing it shows is in the way.

    UPDATE: it said that it merged the base into the branch, and the head did not move.
    """

    QUEUE = "queue-not-yet"
    MERGE = "merge-not-yet"
    UPDATE = "update-not-yet"


class Delays(NamedTuple):
    """How often it was asked for in vain for this head, when last (seconds since 1970), and what the forge said."""

    times: int = 0
    last_at: float = 0.0
    words: str = ""

    @property
    def are_enough(self) -> bool:
        """Whether it has not come right for so long that a person has to look."""
        return self.times >= ENOUGH_DELAYS

    def is_too_soon(self, now: datetime | None) -> bool:
        """Whether to let some time go by at `now` (aware) before the forge is asked again."""
        if now is None or not self.times:
            return False
        pause = min(_SHORTEST_PAUSE * 2.0 ** (self.times - 1), _LONGEST_PAUSE)
        return 0 <= now.timestamp() - self.last_at < pause


def remember_not_yet(memory: ReworkMemory, what: NotYet, head_sha: str, words: str, now: datetime) -> ReworkMemory:
    """The memory after the forge was asked for this in vain at `now` (aware), and said `words`."""
    return _remember(memory, what, head_sha, f"{now.timestamp():.0f} {words}")


def not_yet(memory: ReworkMemory, what: NotYet, head_sha: str) -> Delays:
    """What is remembered of asking for this, for this head."""
    found = _recall(memory, what, head_sha)
    if not found.times:
        return Delays()
    at, _, words = found.words.partition(" ")
    return Delays(found.times, float(at), words)


class HandOvers(NamedTuple):
    """How often the forge agreed to merge this head by itself, and when last (seconds since 1970)."""

    times: int = 0
    last_at: float = 0.0

    def may_still_show(self, now: datetime | None) -> bool:
        """Whether it was so shortly before `now` (aware) that a look need not show it yet."""
        return bool(self.times) and now is not None and 0 <= now.timestamp() - self.last_at < _KEPT_SECONDS

    def are_enough(self, *, has_queue: bool) -> bool:
        """Whether it let go so often what it had agreed to that it is not asked again."""
        return self.times >= (_ENOUGH_OUT_OF_QUEUE if has_queue else _ENOUGH_LET_GO)


def remember_handed_over(memory: ReworkMemory, head_sha: str, now: datetime) -> ReworkMemory:
    """The memory after the forge agreed, at `now` (aware), to merge this head by itself."""
    return _remember(memory, _HANDED_OVER, head_sha, f"{now.timestamp():.0f}")


def forget_handed_over(memory: ReworkMemory) -> ReworkMemory:
    """The memory after we ourselves had the forge no longer merge by itself."""
    return memory._replace(handled=_without(memory, _HANDED_OVER))


def hand_overs(memory: ReworkMemory, head_sha: str) -> HandOvers:
    """What is remembered of letting the forge merge this head by itself."""
    found = _recall(memory, _HANDED_OVER, head_sha)
    return HandOvers(found.times, float(found.words)) if found.times else HandOvers()


def remember_refused_merge(memory: ReworkMemory, head_sha: str, words: str) -> ReworkMemory:
    """The memory after the forge refused to merge this head, and said `words`."""
    return _remember(memory, _MERGE, head_sha, words)


def refused_merges(head_sha: str, memory: ReworkMemory) -> Refusals:
    """What is remembered of merging this head."""
    return _recall(memory, _MERGE, head_sha)


def remember_refused_update(memory: ReworkMemory, head_sha: str, words: str) -> ReworkMemory:
    """The memory after the forge refused to merge the base into a branch with this head, and said `words`."""
    return _remember(memory, _UPDATE, head_sha, words)


def refused_updates(head_sha: str, memory: ReworkMemory) -> Refusals:
    """What is remembered of bringing a branch with this head up to date."""
    return _recall(memory, _UPDATE, head_sha)


def _remember(memory: ReworkMemory, what: str, head_sha: str, words: str) -> ReworkMemory:
    """One entry, without a space since entries are kept side by side: what, of which head, how often, the words."""
    times = _recall(memory, what, head_sha).times + 1
    said = quote(" ".join(words.split())[:_MAX_WORDS], safe="", errors="replace")
    return memory._replace(handled=_without(memory, what) | {f"{what}:{head_sha[:_SHOWN_SHA]}:{times}:{said}"})


def _without(memory: ReworkMemory, what: str) -> frozenset[str]:
    return frozenset(handled for handled in memory.handled if not handled.startswith(f"{what}:"))


def _recall(memory: ReworkMemory, what: str, head_sha: str) -> Refusals:
    begin = f"{what}:{head_sha[:_SHOWN_SHA]}:"
    for handled in memory.handled:
        if handled.startswith(begin):
            times, _, said = handled.removeprefix(begin).partition(":")
            return Refusals(int(times), unquote(said))
    return Refusals()
