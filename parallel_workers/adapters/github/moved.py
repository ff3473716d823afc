"""What moved since the last look: the list of pull requests by time of change, asked for with an ETag."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from parallel_workers.adapters.github.answers import Answer, RefusedError
from parallel_workers.adapters.github.api import PER_PAGE, RepositoryApi

Json = dict[str, Any]

_WHAT = "look at the pull requests"
_PARAMETERS = {"state": "all", "sort": "updated", "direction": "desc", "per_page": str(PER_PAGE)}


class Moved(NamedTuple):
    """What a look gave: items, newest first, the requests it took, and whether it went to the end of the list."""

    pulls: tuple[Json, ...]
    requests: int
    is_whole: bool


class MovedPages:
    """Reads the first page each time, and further ones only as far as something new is on them.

    GitHub's times have whole seconds, so one second is read twice. Not safe for threads; the watcher locks.
    """

    def __init__(self, api: RepositoryApi) -> None:
        self._api = api
        self._etag = ""
        self._until = ""

    def read(self, take_in: Callable[[tuple[Json, ...]], None], is_enough: Callable[[list[Json]], bool]) -> Moved:
        """Read what is new and have it taken in; only then it counts as seen, whatever fails before.

        `is_enough` says when to stop if nothing was seen before.
        """
        headers = {"If-None-Match": self._etag} if self._etag else {}
        first = self._api.read(_WHAT, "/pulls", _PARAMETERS, headers)
        if first.status == 200 and self._is_of_another_name(first.body) and self._api.is_renamed():
            # PyGithub follows the redirect of a renamed repository, and leaves out what was asked for
            first = self._api.read(_WHAT, "/pulls", _PARAMETERS)
        if first.status == 304:
            self._etag = first.headers.get("etag", self._etag)
            return Moved((), 1, is_whole=False)
        answer, pulls, requests = _good(first), list(first.body), 1
        while answer.next_url and not self._has_reached_known(answer.body, pulls, is_enough):
            answer = _good(self._api.read(_WHAT, answer.next_url))
            pulls += answer.body
            requests += 1
        moved = Moved(tuple(pulls), requests, is_whole=not answer.next_url)
        take_in(moved.pulls)
        self._etag = first.headers.get("etag", "")
        self._until = max([self._until, *(pull["updated_at"] for pull in pulls[:1])])
        return moved

    def forget(self) -> None:
        """Look at everything again."""
        self._etag = self._until = ""

    def _is_of_another_name(self, page: list[Json]) -> bool:
        """Also when it is empty although there was something: pull requests are never deleted."""
        if not page:
            return bool(self._until)
        return bool(page[0]["base"]["repo"]["full_name"] != self._api.facts.full_name)

    def _has_reached_known(self, page: list[Json], pulls: list[Json], is_enough: Callable[[list[Json]], bool]) -> bool:
        if not page:
            return True
        return page[-1]["updated_at"] < _second_before(self._until) if self._until else is_enough(pulls)


def _good(answer: Answer) -> Answer:
    if not answer.is_good:
        raise RefusedError(_WHAT, answer)
    return answer


def _second_before(stamp: str) -> str:
    return (datetime.fromisoformat(stamp) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
