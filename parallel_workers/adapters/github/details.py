"""Checks, reviews and mergeability of open pull requests: asked in chunks, when due, and within the budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from loguru import logger

from parallel_workers.adapters.github.answers import RefusedError
from parallel_workers.adapters.github.api import GraphAnswer, RepositoryApi
from parallel_workers.adapters.github.pace import (
    FULL_RESERVE,
    GRAPH_BURST,
    GRAPH_PER_HOUR,
    OVERDRAFT,
    WatchPace,
)
from parallel_workers.adapters.github.queries import BRIEF_CHUNK, BRIEF_QUERY, FULL_CHUNK, full_query
from parallel_workers.adapters.github.sightings import Sighting
from parallel_workers.adapters.github.unreadable import filled_in, unreadable_parts
from parallel_workers.adapters.github.windows import Allowance
from parallel_workers.errors import ForgeBusyError

Json = dict[str, Any]

_WHAT = "look at checks and reviews"
_ROUND_UP_SECONDS = 5.0
"""What is due so soon joins a chunk that is asked anyway."""

_T = TypeVar("_T")


class Details:
    """Asks GraphQL. Not safe for threads; the watcher locks."""

    def __init__(self, api: RepositoryApi, pace: WatchPace) -> None:
        self._api = api
        self._pace = pace
        self._points = Allowance(GRAPH_BURST, GRAPH_PER_HOUR, api.timing.now())

    def refresh(self, sightings: Sequence[Sighting], *, at_once: bool) -> None:
        """Ask about those that are due, or all when asked to look at once."""
        now = self._now()
        wanted = [one for one in sightings if one.is_open]
        # chosen before the brief answers set the next time
        for one in wanted:
            if at_once:
                one.due_at = min(one.due_at, now)
        running = [one for one in wanted if one.needs_full(now)]
        floor = -OVERDRAFT if at_once else 0.0
        self._ask_brief(self._due(wanted, now), floor)
        full = [one for one in wanted if one in running or one.needs_full(now)]
        self._ask_full(full, floor if at_once else FULL_RESERVE)

    def _due(self, sightings: Sequence[Sighting], now: float) -> list[Sighting]:
        if not any(self._due_at(one) <= now for one in sightings):
            return []
        due = [one for one in sightings if self._due_at(one) <= now + _ROUND_UP_SECONDS]
        # overdue ones first, so that a tight budget goes around
        return sorted(due, key=self._due_at)

    def _due_at(self, sighting: Sighting) -> float:
        """A head that may still get checks is looked at once more when that time is over."""
        settled = sighting.settles_at(self._pace)
        return min(sighting.due_at, settled) if sighting.brief_at < settled else sighting.due_at

    def _ask_brief(self, due: Sequence[Sighting], floor: float) -> None:
        for start in range(0, len(due), BRIEF_CHUNK):
            if self._points.left(self._now()) < floor + 1:
                return
            self._in_halves(due[start : start + BRIEF_CHUNK], self._brief)

    def _ask_full(self, wanted: Sequence[Sighting], floor: float) -> None:
        for start in range(0, len(wanted), FULL_CHUNK):
            if self._points.left(self._now()) < floor + 1:
                return
            self._in_halves(wanted[start : start + FULL_CHUNK], self._full)

    def _brief(self, chunk: Sequence[Sighting]) -> None:
        answer = self._api.query(_WHAT, BRIEF_QUERY, {"ids": [one.node_id for one in chunk]})
        self._pay(answer)
        nodes = {node["number"]: (place, node) for place, node in enumerate(answer.data.get("nodes") or ()) if node}
        for one in chunk:
            found = nodes.get(one.pull_request.number)
            if found is None:
                # it cannot be resolved any more; the list of pull requests will tell what became of it
                one.due_at = self._now() + self._pace.detail_max_seconds
            else:
                place, node = found
                one.unreadable = unreadable_parts(answer.problems, ("nodes", place), node)
                one.take_brief(filled_in(node), self._now(), self._pace)

    def _full(self, chunk: Sequence[Sighting]) -> None:
        asked = [(one.pull_request.number, one.node_id) for one in chunk]
        answer = self._api.query(_WHAT, full_query(asked))
        self._pay(answer)
        for one in chunk:
            name = f"p{one.pull_request.number}"
            node = answer.data.get(name)
            if node:
                one.unreadable |= unreadable_parts(answer.problems, (name,), node)
                one.take_full(filled_in(node), self._now())

    def _pay(self, answer: GraphAnswer) -> None:
        self._points.spend(answer.cost, self._now())

    def _in_halves(self, chunk: Sequence[_T], ask: Callable[[Sequence[_T]], None]) -> None:
        """Ask for a chunk, and for its halves when that is too much for GitHub; one alone may fail."""
        try:
            ask(chunk)
        except ForgeBusyError:
            raise
        except RefusedError as error:
            self._points.spend(1, self._now())
            if len(chunk) == 1:
                logger.warning("checks and reviews of one pull request cannot be read: {}", error)
                return
            middle = len(chunk) // 2
            self._in_halves(chunk[:middle], ask)
            self._in_halves(chunk[middle:], ask)

    def _now(self) -> float:
        return self._api.timing.now()
