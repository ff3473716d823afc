"""An hour of watching open pull requests on the fake GitHub, in a few seconds or minutes: only the clock is not real.

The real forge and real HTTP. Both sides go by one clock, which is moved on to the next look instead of waiting for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr

from benchmarks.repositories import make_repository
from parallel_workers.adapters.github.credentials import GivenValues, find_credentials
from parallel_workers.adapters.github.forge import GitHubForge, close_github, open_github_forge
from parallel_workers.adapters.github.timing import Timing
from parallel_workers.pull_request_snapshots import CheckState, PullRequestSnapshot
from tests.fake_github.fixtures import running_fake_github
from tests.fake_github.repository import FakeRepository

LOOK_SECONDS = 5.0
HOUR = 3600.0
_CHECK_SECONDS, _COMMENT_SECONDS, _MERGE_SECONDS = 60.0, 20.0, 300.0


class Hour(NamedTuple):
    """What an hour came to, from the first look on. `late_seconds`: from each red check until a look showed it."""

    open_pulls: int
    requests: int
    not_modified: int
    points: int
    queries: int
    late_seconds: tuple[float, ...]
    never_seen: int


class _Busy:
    """A repository where much goes on: checks turn red (and green again), people comment, merges move the base."""

    def __init__(self, repository: FakeRepository, numbers: list[int], begun: float) -> None:
        self._repository = repository
        self._numbers = list(numbers)
        self._turn = 0
        self._next = {"check": begun + _CHECK_SECONDS, "comment": begun + _COMMENT_SECONDS, "merge": begun + 30}
        self._red: set[int] = set()
        self._red_at: dict[int, float] = {}
        self.late: list[float] = []

    @property
    def never_seen(self) -> int:
        """Red checks that no look has shown yet."""
        return len(self._red_at)

    def go_on(self, now: float) -> None:
        """Do what is due by now."""
        for what, seconds in (("check", _CHECK_SECONDS), ("comment", _COMMENT_SECONDS), ("merge", _MERGE_SECONDS)):
            if self._next[what] <= now:
                self._next[what] = now + seconds
                self._turn += 7
                getattr(self, f"_{what}")(self._numbers[self._turn % len(self._numbers)], now)

    def note_seen(self, seen: Mapping[int, PullRequestSnapshot], now: float) -> None:
        """Take the time of the red checks that this look shows."""
        for number, at in list(self._red_at.items()):
            if any(check.state is CheckState.RED for check in seen[number].checks):
                self.late.append(now - at)
                del self._red_at[number]

    def _check(self, number: int, now: float) -> None:
        if number in self._red:
            self._red.remove(number)
            self._repository.set_check(number, "unit", "success")
        else:
            self._red.add(number)
            self._red_at[number] = now
            self._repository.set_check(number, "unit", "failure")

    def _comment(self, number: int, _now: float) -> None:
        self._repository.review(number, "reviewer", "COMMENTED", "Why?")

    def _merge(self, number: int, _now: float) -> None:
        """It goes on being looked at, as merged; one alone is left open."""
        if len(self._numbers) > 1 and number not in self._red:
            self._numbers.remove(number)
            self._repository.merge(number)


def watch_for_an_hour(open_pulls: int) -> Hour:
    """Look every 5 s, for an hour, at so many open pull requests with running checks in a busy repository."""
    with _watched(open_pulls) as (repository, forge, numbers):
        clock, usage = repository.server.clock, repository.server.usage
        clock.stop()
        usage.reset()
        begun = clock.seconds()
        busy = _Busy(repository, numbers, begun)
        for look in range(1, int(HOUR / LOOK_SECONDS) + 1):
            busy.go_on(clock.seconds())
            busy.note_seen(forge.look(numbers), clock.seconds())
            clock.advance(max(0.0, begun + look * LOOK_SECONDS - clock.seconds()))
        return Hour(
            open_pulls,
            usage.rest + usage.not_modified,
            usage.not_modified,
            usage.graphql_points,
            usage.graphql,
            tuple(busy.late),
            busy.never_seen,
        )


@contextmanager
def _watched(open_pulls: int) -> Iterator[tuple[FakeRepository, GitHubForge, list[int]]]:
    with tempfile.TemporaryDirectory(prefix="github-budget-") as folder, running_fake_github(Path(folder)) as server:
        clone = make_repository(Path(folder) / "work", files=10).clone
        repository = server.repository("octo/project", clone)
        given = GivenValues(server_url=server.url, token=SecretStr(repository.give("worker")))
        credentials = find_credentials(given, {})
        assert credentials is not None
        numbers = repository.seed(open_pulls)
        for number in numbers:
            repository.set_check(number, "build", None)
        timing = Timing(server.clock.seconds, server.clock.advance)
        try:
            yield repository, open_github_forge(clone, repository.clone_url, credentials, timing=timing), numbers
        finally:
            close_github()
