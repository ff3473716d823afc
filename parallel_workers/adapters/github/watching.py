"""One look for all workers of a process at all pull requests of a repository, inside GitHub's limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from loguru import logger

from parallel_workers.adapters.github.api import RepositoryApi
from parallel_workers.adapters.github.details import Details
from parallel_workers.adapters.github.memory import Memory
from parallel_workers.adapters.github.moved import Moved, MovedPages
from parallel_workers.adapters.github.pace import (
    LIST_BURST,
    LIST_PER_HOUR,
    MERGEABILITY_RESERVE,
    OVERDRAFT,
    WatchPace,
)
from parallel_workers.adapters.github.pulls import as_pull_request
from parallel_workers.adapters.github.sightings import Sighting
from parallel_workers.adapters.github.windows import Allowance
from parallel_workers.errors import ForgeBusyError, ForgeError
from parallel_workers.pull_request_snapshots import PullRequestSnapshot
from parallel_workers.pull_requests import PullRequest, PullRequestState

Json = dict[str, Any]

_FIRST_PAGES_MOST = 15
"""How far back the first look goes for pull requests that are asked for; older ones are read one by one."""
_AT_ONCE_PAUSES_SECONDS = (0.5, 1.0, 2.0)
"""Who asks to look at once wants to know whether it can be merged, which GitHub only begins to find out when asked."""
_MERGEABILITY_READS = 2
"""Single pull requests read in one look to start GitHub's job."""


class Watcher:
    """Shared by all threads: who comes while a look is under way waits for it and takes its answer."""

    def __init__(self, api: RepositoryApi, pace: WatchPace) -> None:
        self._api = api
        self._pace = pace
        # one look at a time, and whoever comes meanwhile takes its answer; nobody else waits for GitHub's
        self._looking = threading.RLock()
        self._lock = threading.RLock()
        self._memory = Memory(api.timing)
        self._pages = MovedPages(api)
        self._details = Details(api, pace, self._lock)
        self._requests = Allowance(LIST_BURST, LIST_PER_HOUR, self._now())
        self._unknown: set[int] = set()
        self._next_list_at = self._looked_at = float("-inf")
        self._interval = pace.list_seconds
        self._moved_at = self._now()
        self._has_all_open = self._has_all = False

    def look(self, numbers: Collection[int], *, at_once: bool = False) -> Mapping[int, PullRequestSnapshot]:
        """See ports.Forge. While GitHub is not asked, what was seen last; ForgeBusyError when that is nothing."""
        asked_at = self._now()
        with self._looking:
            # somebody else began a look at once after we had asked for one
            at_once = at_once and self._looked_at <= asked_at
            try:
                self._refresh(frozenset(numbers), at_once=at_once)
            except ForgeBusyError:
                if self._unmet(numbers):
                    raise
            facts, now = self._api.facts, self._now()
            with self._lock:
                known = self._memory.known(numbers)
                return {one.pull_request.number: one.snapshot(facts, now, self._pace) for one in known}

    def trouble(self) -> str:
        """Why the last look at checks and reviews came to less than was due; '' when nothing went wrong."""
        return self._details.trouble

    def fetch(self, number: int) -> PullRequest:
        """One pull request, asked for now. Raises ForgeError when there is none."""
        pull = self._api.find(f"look at pull request #{number}", f"/pulls/{number}")
        self._spend(1)
        if pull is None:
            with self._lock:
                listed = ", ".join(f"#{one.number}" for one in self._memory.pull_requests()[-10:]) or "none"
            raise ForgeError(f"{self._api.place} has no pull request #{number}; seen there: {listed}")
        return self.take_in(pull)

    def fetch_all(self, *, include_ended: bool) -> tuple[PullRequest, ...]:
        """One look at all, by number; everything is read once, and then what moved."""
        with self._looking:
            if include_ended and not self._has_all:
                self._pages.forget()
                self._read_moved(lambda _: False)
            elif not include_ended and not self._has_all_open:
                self._read_open()
            self._read_moved(lambda _: True)
        with self._lock:
            found = self._memory.pull_requests()
        return tuple(one for one in found if include_ended or one.state is PullRequestState.OPEN)

    def take_in(self, pull: Json) -> PullRequest:
        """Remember what an answer to something else said: it is newer than any list."""
        with self._lock:
            self._unknown.discard(pull["number"])
            self._memory.take(pull)
        return as_pull_request(pull)

    def seen_head(self, number: int) -> str:
        """The head that was seen last, without asking; '' for one that was not met."""
        with self._lock:
            known = self._memory.find(number)
            return known.pull_request.head_sha if known else ""

    def look_again(self, number: int) -> None:
        """The next look asks about this one: something was done to it that its list does not tell."""
        with self._lock:
            known = self._memory.find(number)
            if known is not None:
                known.due_at, known.pause = self._now(), 0.0

    def node_id(self, number: int) -> str:
        """How GraphQL knows a pull request. Raises ForgeError when there is none."""
        with self._lock:
            known = self._memory.find(number)
        if known is None:
            self.fetch(number)
            known = self._memory.find(number)
        return known.node_id if known else ""

    def _refresh(self, numbers: frozenset[int], *, at_once: bool) -> None:
        now = self._now()
        if at_once or (now >= self._next_list_at and self._requests.left(now) >= 1):
            self._looked_at = now
            if self._requests.left(now) > -OVERDRAFT:
                self._look_at_list(numbers)
        self._find_missing(numbers)
        with self._lock:
            known = self._memory.known(numbers)
        self._details.refresh(known, at_once=at_once)
        self._start_mergeability(known)
        for pause in _AT_ONCE_PAUSES_SECONDS if at_once else ():
            if not any(one.is_mergeability_unknown for one in known):
                break
            self._api.timing.sleep(pause)
            self._start_mergeability(known)

    def _look_at_list(self, numbers: frozenset[int]) -> None:
        missing = set(self._unmet(numbers))

        def is_enough(pulls: list[Json]) -> bool:
            return len(pulls) >= 100 * _FIRST_PAGES_MOST or missing <= {pull["number"] for pull in pulls}

        self._read_moved(is_enough)
        now = self._now()
        if now - self._moved_at < self._pace.quiet_after_seconds:
            self._interval = self._pace.list_seconds
        else:
            self._interval = min(self._interval * 1.5, max(self._pace.list_max_seconds, self._pace.list_seconds))
        self._next_list_at = now + self._interval

    def _read_moved(self, is_enough: Callable[[list[Json]], bool]) -> Moved:
        moved = self._pages.read(self._take_in_all, is_enough)
        self._spend(moved.requests)
        if moved.is_whole:
            self._has_all = self._has_all_open = True
        return moved

    def _read_open(self) -> None:
        for page in self._api.pages("list the open pull requests", "/pulls", {"state": "open"}):
            self._spend(1)
            self._take_in_all(tuple(page))
        self._has_all_open = True

    def _take_in_all(self, pulls: tuple[Json, ...]) -> None:
        with self._lock:
            if [pull["number"] for pull in pulls if self._memory.take(pull)]:
                self._moved_at = self._now()
            self._unknown -= {pull["number"] for pull in pulls}

    def _unmet(self, numbers: Collection[int]) -> list[int]:
        with self._lock:
            return [number for number in sorted(set(numbers) - self._unknown) if self._memory.find(number) is None]

    def _find_missing(self, numbers: frozenset[int]) -> None:
        """Read those that no page had: not being in a list proves nothing. What is left of them is for later looks."""
        for number in self._unmet(numbers):
            if self._requests.left(self._now()) < 1:
                return
            pull = self._api.find(f"look at pull request #{number}", f"/pulls/{number}")
            self._spend(1)
            with self._lock:
                if pull is None:
                    logger.warning("{} has no pull request #{}", self._api.place, number)
                    self._unknown.add(number)
                else:
                    self._memory.take(pull)

    def _start_mergeability(self, sightings: list[Sighting]) -> None:
        """Read those whose mergeability is unknown, the lowest number first: its turn to merge comes first."""
        now = self._now()
        due = [one for one in sightings if one.is_mergeability_unknown and one.mergeable_due_at <= now]
        for one in due[:_MERGEABILITY_READS]:
            if self._requests.left(now) < MERGEABILITY_RESERVE:
                return
            number = one.pull_request.number
            pull = self._api.find(f"look whether pull request #{number} can be merged", f"/pulls/{number}")
            self._spend(1)
            with self._lock:
                if pull is not None:
                    self._memory.take(pull)
                one.note_mergeability_asked(now, self._pace)

    def _spend(self, requests: int) -> None:
        with self._lock:
            self._requests.spend(requests, self._now())

    def _now(self) -> float:
        return self._api.timing.now()
