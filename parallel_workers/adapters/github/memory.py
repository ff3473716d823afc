"""All pull requests of a repository that were met, by number. The watcher locks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from parallel_workers.adapters.github.sightings import Sighting, new_sighting
from parallel_workers.adapters.github.timing import Timing
from parallel_workers.pull_requests import PullRequest

Json = dict[str, Any]


class Memory:
    """What every answer about a pull request is taken into."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._sightings: dict[int, Sighting] = {}

    def take(self, pull: Json) -> bool:
        """Take in a pull request; whether it moved."""
        number, now = pull["number"], self._timing.now()
        known = self._sightings.get(number)
        if known is None:
            known = self._sightings[number] = new_sighting(pull, now)
            return True
        return known.take_pull(pull, now)

    def find(self, number: int) -> Sighting | None:
        """What is known of one."""
        return self._sightings.get(number)

    def known(self, numbers: Iterable[int]) -> list[Sighting]:
        """Those of these that were met, by number."""
        return [self._sightings[number] for number in sorted(set(numbers)) if number in self._sightings]

    def pull_requests(self) -> list[PullRequest]:
        """All that were met, by number."""
        return [self._sightings[number].pull_request for number in sorted(self._sightings)]
