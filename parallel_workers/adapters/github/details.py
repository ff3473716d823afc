"""Checks, reviews and mergeability of open pull requests: asked in chunks, when due, and within the budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from loguru import logger

from parallel_workers.adapters.github.answers import RefusedError
from parallel_workers.adapters.github.api import GraphAnswer, RepositoryApi
from parallel_workers.adapters.github.pace import (
    FULL_BURST,
    FULL_PER_HOUR,
    FULL_RESERVE,
    GRAPH_BURST,
    GRAPH_PER_HOUR,
    OVERDRAFT,
    WatchPace,
)
from parallel_workers.adapters.github.queries import BRIEF_CHUNK, BRIEF_QUERY, FULL_CHUNK, full_query
from parallel_workers.adapters.github.sightings import FAILURES_UNTIL_ALONE, Sighting
from parallel_workers.adapters.github.unreadable import filled_in, unreadable_parts
from parallel_workers.adapters.github.windows import Allowance
from parallel_workers.errors import ForgeBusyError, ForgeError

Json = dict[str, Any]

_WHAT = "look at checks and reviews"
_ROUND_UP_SECONDS = 5.0
"""What is due so soon joins a chunk that is asked anyway."""
_TOO_MUCH = "RESOURCE_LIMITS_EXCEEDED"
_CREDENTIAL_STATUSES = {401, 403}
"""Refused whatever is asked for."""


@dataclass
class Way:
    """One of the two queries, and for how many pull requests it is asked at the moment."""

    ask: Callable[[Sequence[Sighting]], bool]
    """False when GitHub answered a part only, because it was too much."""
    most: int
    size: int


class Details:
    """Asks GraphQL, one look at a time. `guard` is held while what is known changes, and not while GitHub is asked."""

    def __init__(self, api: RepositoryApi, pace: WatchPace, guard: AbstractContextManager[object]) -> None:
        self._api = api
        self._guard = guard
        self._pace = pace
        self._points = Allowance(GRAPH_BURST, GRAPH_PER_HOUR, api.timing.now())
        self._kept_for_full = Allowance(FULL_BURST, FULL_PER_HOUR, api.timing.now())
        self._briefly = Way(self._brief, BRIEF_CHUNK, BRIEF_CHUNK)
        self._fully = Way(self._full, FULL_CHUNK, FULL_CHUNK)
        self._trouble = ""
        self._is_at_once = False

    @property
    def trouble(self) -> str:
        """Why the last look came to less than was due; '' when nothing went wrong."""
        return self._trouble

    def refresh(self, sightings: Sequence[Sighting], *, at_once: bool) -> None:
        """Ask about those that are due, or all when asked to look at once."""
        now = self._now()
        wanted = [one for one in sightings if one.is_open]
        # chosen before the brief answers set the next time
        for one in wanted:
            if at_once:
                one.due_at, one.full_due_at = min(one.due_at, now), min(one.full_due_at, now)
        floor, self._trouble, self._is_at_once = (-OVERDRAFT if at_once else 0.0), "", at_once
        # red goes before looking for more: else many with running checks leave nothing for it
        self._ask_half_red(wanted, floor)
        due = self._due(wanted, now)
        # what joins the brief query before its time does so here too: else the brief answer puts it off each time
        running = {one.pull_request.number for one in due if one.needs_full(now + _ROUND_UP_SECONDS)}
        self._ask(due, floor if at_once else self._kept_for_full.left(now), self._briefly)
        self._ask_half_red(wanted, floor)
        full = [one for one in wanted if one.pull_request.number in running or one.needs_full(now)]
        full = sorted((one for one in full if one.full_due_at <= now), key=lambda one: one.full_rank)
        self._ask(full, floor if at_once else FULL_RESERVE, self._fully)

    def _ask_half_red(self, sightings: Sequence[Sighting], floor: float) -> None:
        now = self._now()
        self._ask([one for one in sightings if one.is_half_red and one.full_due_at <= now], floor, self._fully)

    def _due(self, sightings: Sequence[Sighting], now: float) -> list[Sighting]:
        if not any(self._due_at(one) <= now for one in sightings):
            return []
        due = [one for one in sightings if self._due_at(one) <= now + _ROUND_UP_SECONDS]
        # overdue ones first, so that a tight budget goes around
        return sorted(due, key=self._due_at)

    def _due_at(self, sighting: Sighting) -> float:
        """A head that may still get checks is looked at once more when that time is over."""
        settled = sighting.settles_at(self._pace)
        if sighting.failures >= FAILURES_UNTIL_ALONE:
            return sighting.due_at
        return min(sighting.due_at, settled) if sighting.brief_at < settled else sighting.due_at

    def _ask(self, wanted: Sequence[Sighting], floor: float, way: Way) -> None:
        """Ask chunk after chunk, until the budget is used up or a query fails: the next look goes on.

        Those that were in a query that failed come after the others, in smaller and smaller chunks, at last alone: one
        that GitHub cannot answer takes nobody with it for long.
        """
        order = sorted(wanted, key=lambda one: one.failures)
        while order:
            if self._points.left(self._now()) < self._least(way, floor) + 1:
                return
            most = max(1, min(way.size, way.most >> order[0].failures))
            chunk = [one for one in order[:most] if one.failures == order[0].failures]
            order = order[len(chunk) :]
            if not self._try(chunk, way):
                return

    def _least(self, way: Way, floor: float) -> float:
        """What is kept for full queries they may use to the last point; brief ones leave it alone."""
        is_kept = way is self._fully and self._kept_for_full.left(self._now()) >= 1
        return min(floor, 0.0) if is_kept else floor

    def _try(self, chunk: Sequence[Sighting], way: Way) -> bool:
        """One query; False when it failed. What is too much is asked for in smaller chunks, at the next look."""
        try:
            is_whole = way.ask(chunk)
        except ForgeBusyError:
            raise
        except ForgeError as error:
            self._points.spend(1, self._now())
            self._trouble = str(error)
            logger.warning("{} ({} pull requests)", error, len(chunk))
            if isinstance(error, RefusedError) and error.answer.status not in _CREDENTIAL_STATUSES:
                self._ask_for_less(chunk, way)
            return False
        if not is_whole:
            self._ask_for_less(chunk, way)
            return True
        way.size = min(way.size * 2, way.most)
        for one in chunk:
            one.failures = 0
        return True

    def _ask_for_less(self, chunk: Sequence[Sighting], way: Way) -> None:
        way.size = max(1, min(way.size, len(chunk)) // 2)
        for one in chunk:
            one.failures += 1
        if len(chunk) == 1:
            chunk[0].put_off(self._now(), self._pace)

    def _brief(self, chunk: Sequence[Sighting]) -> bool:
        ids = {"ids": [one.node_id for one in chunk]}
        answer = self._api.query(_WHAT, BRIEF_QUERY, ids, is_tried_once=not self._is_at_once)
        self._pay(answer)
        is_whole = _is_whole(answer)
        nodes = {node["number"]: (place, node) for place, node in enumerate(answer.data.get("nodes") or ()) if node}
        with self._guard:
            for one in chunk:
                found = nodes.get(one.pull_request.number)
                if found is not None:
                    place, node = found
                    one.unreadable = unreadable_parts(answer.problems, ("nodes", place), node)
                    one.take_brief(filled_in(node), self._now(), self._pace)
                elif is_whole:
                    # it cannot be resolved any more; the list of pull requests will tell what became of it
                    one.due_at = self._now() + self._pace.detail_max_seconds
        return is_whole

    def _full(self, chunk: Sequence[Sighting]) -> bool:
        asked = [(one.pull_request.number, one.node_id, one.thread_count) for one in chunk]
        answer = self._api.query(_WHAT, full_query(asked), is_tried_once=not self._is_at_once)
        self._pay(answer)
        self._kept_for_full.spend(min(answer.cost, self._kept_for_full.left(self._now())), self._now())
        is_whole = _is_whole(answer)
        with self._guard:
            for one in chunk:
                name = f"p{one.pull_request.number}"
                node = answer.data.get(name)
                if node:
                    one.unreadable |= unreadable_parts(answer.problems, (name,), node)
                    one.take_full(filled_in(node), self._now())
                elif is_whole:
                    one.full_due_at = self._now() + self._pace.detail_max_seconds
        return is_whole

    def _pay(self, answer: GraphAnswer) -> None:
        self._points.spend(answer.cost, self._now())

    def _now(self) -> float:
        return self._api.timing.now()


def _is_whole(answer: GraphAnswer) -> bool:
    return _TOO_MUCH not in {problem.kind for problem in answer.problems}
