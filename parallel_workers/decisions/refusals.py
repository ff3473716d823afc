"""What the forge refused for a head although it showed nothing against it: remembered, so that it ends somewhere.

One entry for each thing refused, of the head it was refused for last: a push makes a new beginning.
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
_MERGE, _UPDATE = "merge-refused", "update-refused"
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
    """What the forge does not do yet, and may do later, though nothing it shows is in the way."""

    QUEUE = "queue-not-yet"


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
    others = frozenset(handled for handled in memory.handled if not handled.startswith(f"{what}:"))
    return memory._replace(handled=others | {f"{what}:{head_sha[:_SHOWN_SHA]}:{times}:{said}"})


def _recall(memory: ReworkMemory, what: str, head_sha: str) -> Refusals:
    begin = f"{what}:{head_sha[:_SHOWN_SHA]}:"
    for handled in memory.handled:
        if handled.startswith(begin):
            times, _, said = handled.removeprefix(begin).partition(":")
            return Refusals(int(times), unquote(said))
    return Refusals()
