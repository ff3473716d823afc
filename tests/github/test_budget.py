"""What an hour of watching costs, at one, a hundred and a thousand open pull requests."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from parallel_workers.adapters.github import watching
from parallel_workers.adapters.github.pace import (
    GRAPH_BURST,
    GRAPH_PER_HOUR,
    LIST_BURST,
    LIST_PER_HOUR,
    OVERDRAFT,
    WatchPace,
)
from parallel_workers.adapters.github.windows import Allowance
from parallel_workers.pull_requests import PullRequestState

if TYPE_CHECKING:
    from tests.github.conftest import GitHubWorld

REST_AN_HOUR, POINTS_AN_HOUR = 720, 1_200
_TICK_SECONDS = 5


def test_the_budget_holds_by_arithmetic() -> None:
    # the repository itself is read every ten minutes
    assert LIST_BURST + LIST_PER_HOUR + OVERDRAFT + 6 <= REST_AN_HOUR
    # the last chunk of a full query may overdraw by its 5 points
    assert GRAPH_BURST + GRAPH_PER_HOUR + OVERDRAFT + 5 <= POINTS_AN_HOUR
    allowance, spent = Allowance(LIST_BURST, LIST_PER_HOUR, 0.0), 0
    for second in range(3600):
        while allowance.left(second) >= 1:
            allowance.spend(1, second)
            spent += 1
    assert spent <= LIST_BURST + LIST_PER_HOUR


@pytest.mark.parametrize("is_busy", [False, True], ids=["quiet", "busy"])
@pytest.mark.parametrize(("count", "minutes"), [(1, 60), (100, 20), (1000, 20)])
@pytest.mark.timeout(300)
def test_looks_stay_within_the_budget(github: GitHubWorld, count: int, minutes: int, *, is_busy: bool) -> None:
    """In a busy repository something moves every ten seconds, and a check reports as often.

    Among a thousand once a minute, and among many for a third of an hour: the fake takes minutes to write and check so
    many pages of a hundred. `make bench` prints what the whole hour takes.
    """
    share = minutes / 60
    rest_limit = LIST_BURST + (REST_AN_HOUR - LIST_BURST) * share
    points_limit = GRAPH_BURST + (POINTS_AN_HOUR - GRAPH_BURST) * share
    ticks_between_moves = 2 if count <= 100 else 12
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    numbers = github.repository.seed(count, user="worker")
    chance = random.Random(5)  # noqa: S311 - not a secret
    start, ticks = clock.now(), 0
    before = (github.server.usage.rest + github.server.usage.not_modified, github.server.usage.graphql_points)
    while clock.now() - start < minutes * 60:
        if is_busy and ticks % ticks_between_moves == 0:
            number = chance.choice(numbers)
            github.repository.review(number, "rita", "COMMENTED", f"{ticks}")
            github.repository.set_check(chance.choice(numbers), "ci", None if ticks % 3 else "failure")
        seen = forge.look(numbers)
        assert len(seen) == count
        ticks += 1
        clock.advance(_TICK_SECONDS)
    requests = github.server.usage.rest + github.server.usage.not_modified - before[0]
    points = github.server.usage.graphql_points - before[1]
    assert requests <= rest_limit
    assert points <= points_limit


@pytest.mark.parametrize("seconds", [2, _TICK_SECONDS])
def test_events_without_end_do_not_break_the_budget(github: GitHubWorld, seconds: int) -> None:
    """As CI sends them: each has the pull request looked at once."""
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    (number,) = github.repository.seed(1, user="worker")
    start, ticks = clock.now(), 0
    before = (github.server.usage.rest + github.server.usage.not_modified, github.server.usage.graphql_points)
    while clock.now() - start < 3600:
        if ticks % 4 == 0:
            github.repository.review(number, "rita", "COMMENTED", f"{ticks}")
            github.repository.set_check(number, "ci", None if ticks % 3 else "failure")
        forge.look([number], at_once=True)
        ticks += 1
        clock.advance(seconds)
    assert github.server.usage.rest + github.server.usage.not_modified - before[0] <= REST_AN_HOUR
    assert github.server.usage.graphql_points - before[1] <= POINTS_AN_HOUR


def test_a_merge_is_seen_within_seconds_among_a_thousand(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    numbers = github.repository.seed(1000, user="worker")
    for _ in range(60):
        forge.look(numbers)
        clock.advance(_TICK_SECONDS)
    github.repository.merge(numbers[500])
    for _ in range(4):
        clock.advance(_TICK_SECONDS)
        forge.look(numbers)
    state = forge.look(numbers)[numbers[500]].pull_request.state
    assert state is PullRequestState.MERGED
    github.repository.close(numbers[7])
    at_once = forge.look(numbers, at_once=True)
    assert at_once[numbers[7]].pull_request.state is PullRequestState.CLOSED


def test_a_remark_is_seen_while_looking_for_changes_takes_all_it_may(github: GitHubWorld) -> None:
    """As among a thousand: more is due at each look than the budget allows."""
    clock = github.clockwork()
    pace = WatchPace(detail_seconds=1, detail_max_seconds=1, settle_seconds=0, settle_with_ci_seconds=0)
    forge = github.forge(clock.timing, pace)
    numbers = github.repository.seed(150, user="worker")
    for _ in range(120):
        forge.look(numbers)
        clock.advance(_TICK_SECONDS)
    github.repository.comment_thread(numbers[70], "rita", "one.txt", 1, "rather rename it")
    begun = clock.now()
    while not forge.look(numbers)[numbers[70]].remarks:
        clock.advance(_TICK_SECONDS)
        assert clock.now() - begun < 120


def test_old_ones_that_no_page_had_are_read_as_the_budget_allows(
    github: GitHubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_FIRST_PAGES_MOST", 1)
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    numbers = github.repository.seed(220, user="worker")
    before = github.server.usage.rest
    first = forge.look(numbers)
    assert len(first) < len(numbers)
    assert github.server.usage.rest - before <= LIST_BURST + 6
    minutes = 0
    while len(forge.look(numbers)) < len(numbers):
        clock.timing.sleep(60)
        minutes += 1
    assert 5 < minutes < 15
