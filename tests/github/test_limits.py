"""Limits: the breaker opens for all, nobody sleeps for an hour, and the rest is spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parallel_workers.adapters.github.answers import Answer
from parallel_workers.adapters.github.limiter import Kind, Limiter
from parallel_workers.adapters.github.timing import Timing
from parallel_workers.errors import ForgeBusyError, ForgeError
from parallel_workers.pull_request_snapshots import Mergeable
from tests.fake_github.faults import FaultKind

if TYPE_CHECKING:
    from tests.github.conftest import GitHubWorld


class _Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0
        self.slept = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.seconds += seconds


def _limiter() -> tuple[Limiter, _Clock]:
    clock = _Clock()
    return Limiter(Timing(clock.now, clock.sleep)), clock


def _headers(remaining: int, reset_at: float, limit: int = 5000) -> dict[str, str]:
    values = {"limit": limit, "remaining": remaining, "reset": int(reset_at)}
    return {f"x-ratelimit-{name}": str(value) for name, value in values.items()} | {"x-ratelimit-resource": "core"}


def test_a_used_up_limit_stops_every_call_of_its_resource_until_it_is_renewed(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    draft = github.draft("one")
    pull = forge.ensure_pull_request(draft)
    github.server.limits.set("worker", remaining=0, reset_after_seconds=1800)
    with pytest.raises(ForgeBusyError, match=r"limit is used up until \d\d:\d\d") as caught:
        forge.fetch_pull_request(pull.number)
    assert caught.value.until.timestamp() == pytest.approx(clock.now() + 1801, abs=2)
    asked = len(github.server.requests)
    for _ in range(50):
        with pytest.raises(ForgeBusyError):
            forge.ensure_pull_request(draft)
    assert len(github.server.requests) == asked
    assert "used up until" in forge.waits_for_forge()
    assert sum(clock.slept) < 5
    clock.advance(1802)
    assert forge.waits_for_forge() == ""
    assert forge.fetch_pull_request(pull.number).number == pull.number


def test_a_look_answers_what_was_seen_last_while_the_limit_is_used_up(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    number = forge.ensure_pull_request(github.draft("one")).number
    before = forge.look([number])
    for resource in ("core", "graphql"):
        github.server.limits.set("worker", resource, remaining=0, reset_after_seconds=1800)
    clock.advance(30)
    assert forge.look([number])[number].pull_request == before[number].pull_request
    with pytest.raises(ForgeBusyError):
        forge.look([number, 77])


def test_a_short_retry_after_is_waited_for_and_a_long_one_is_not() -> None:
    limiter, clock = _limiter()
    limiter.learn(Kind.READ, 403, {"retry-after": "3"}, "You have exceeded a secondary rate limit.")
    limiter.admit(Kind.READ)
    assert clock.slept == pytest.approx(3)
    limiter.learn(Kind.READ, 429, {"retry-after": "1200"}, "")
    with pytest.raises(ForgeBusyError):
        limiter.admit(Kind.GRAPHQL)
    assert clock.slept == pytest.approx(3)


def test_secondary_limits_without_a_time_pause_longer_each_time() -> None:
    limiter, clock = _limiter()
    pauses = []
    for _ in range(6):
        limiter.learn(Kind.WRITE, 403, {}, "You have exceeded a secondary rate limit.")
        with pytest.raises(ForgeBusyError) as caught:
            limiter.admit(Kind.READ)
        pauses.append(round(caught.value.until.timestamp() - clock.now()))
        clock.seconds = caught.value.until.timestamp()
    assert pauses == [60, 120, 240, 480, 900, 900]


def test_calls_that_are_refused_together_count_once() -> None:
    limiter, clock = _limiter()
    for _ in range(6):
        limiter.learn(Kind.READ, 403, {}, "You have exceeded a secondary rate limit.")
    with pytest.raises(ForgeBusyError) as caught:
        limiter.admit(Kind.READ)
    assert caught.value.until.timestamp() - clock.now() == pytest.approx(60)


@pytest.mark.parametrize("words", ["You have exceeded a secondary rate limit. Please wait", "x RATE_LIMITED"])
def test_graphql_tells_limits_with_status_200(words: str) -> None:
    limiter, _ = _limiter()
    assert limiter.learn(Kind.GRAPHQL, 200, {"x-ratelimit-remaining": "4000"}, words)
    with pytest.raises(ForgeBusyError):
        limiter.admit(Kind.READ)


def test_only_an_error_without_data_is_a_limit() -> None:
    refused = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
    assert "rate limit" in Answer(200, {}, refused).limit_words
    assert Answer(200, {}, {"data": {"node": {"id": "1"}}, **refused}).limit_words == ""
    assert Answer(200, {}, {"message": "about the rate limit"}).limit_words == ""


def test_a_call_that_is_refused_for_a_limit_again_and_again_may_be_asked_later(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing)
    number = forge.ensure_pull_request(github.draft("one")).number
    github.server.faults.next(FaultKind.SECONDARY, method="GET", path=f"/pulls/{number}$", times=10)
    with pytest.raises(ForgeBusyError, match="pause until") as caught:
        forge.fetch_pull_request(number)
    assert caught.value.transient


def test_an_outage_of_graphql_costs_a_look_one_query_and_no_sleep(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    numbers = github.repository.seed(120, user="worker")
    github.server.faults.next(FaultKind.BAD_GATEWAY, method="POST", path="/graphql$", times=1000)
    forge.look(numbers)
    clock.advance(30)
    asked, slept = len(github.server.requests), sum(clock.slept)
    assert len(forge.look(numbers)) == 120
    assert sum(request.method == "POST" for request in github.server.requests[asked:]) == 1
    assert sum(clock.slept) == slept
    assert "problem of its own" in forge.hindrance()
    assert forge.waits_for_forge() == ""
    github.server.faults.clear()
    for _ in range(8):
        clock.advance(30)
        seen = forge.look(numbers)
    assert {one.mergeable for one in seen.values()} == {Mergeable.YES}
    assert forge.hindrance() == ""


@pytest.mark.parametrize("kind", [FaultKind.OTHER_SERVER, FaultKind.NEXT_ELSEWHERE])
def test_another_server_is_not_followed_and_named(github: GitHubWorld, kind: FaultKind) -> None:
    forge = github.forge(github.clockwork().timing)
    github.repository.seed(101, user="worker")
    github.server.faults.next(kind, path=r"/pulls", times=2)
    with pytest.raises(ForgeError, match=r"elsewhere\.invalid.*GITHUB_API_URL") as caught:
        forge.fetch_pull_requests()
    assert not caught.value.transient


def test_an_ordinary_refusal_is_no_limit() -> None:
    limiter, _ = _limiter()
    assert not limiter.learn(Kind.READ, 403, _headers(4000, 1_003_600), "Resource not accessible by integration")
    assert not limiter.learn(Kind.READ, 404, {}, "Not Found")


def test_what_remains_is_spread_over_the_time_that_is_left() -> None:
    limiter, clock = _limiter()
    reset_at = clock.now() + 600
    limiter.learn(Kind.READ, 200, _headers(4000, reset_at), "")
    for _ in range(50):
        limiter.admit(Kind.READ)
    assert clock.slept == 0
    limiter.learn(Kind.READ, 200, _headers(650, reset_at), "")
    start = clock.now()
    for _ in range(100):
        limiter.admit(Kind.READ)
    assert clock.now() - start == pytest.approx(95, abs=6)


def test_waiting_for_what_remains_is_said() -> None:
    limiter, clock = _limiter()
    limiter.learn(Kind.READ, 200, _headers(45, clock.now() + 1800), "")
    assert limiter.slowed() == ""
    limiter.admit(Kind.READ)
    assert "nearly used up" in limiter.slowed()
    assert limiter.waits() == "", "what is told all the same is acted on"
    with pytest.raises(ForgeBusyError):
        limiter.admit(Kind.READ)
    clock.seconds += 1801
    assert limiter.slowed() == ""


def test_creations_are_at_most_80_in_any_minute_and_500_in_any_hour() -> None:
    limiter, clock = _limiter()
    made: list[float] = []
    for _ in range(1200):
        try:
            limiter.admit(Kind.CREATE)
        except ForgeBusyError as busy:
            clock.seconds = busy.until.timestamp()
            limiter.admit(Kind.CREATE)
        made.append(clock.now())
    for span, most in ((60, 80), (3600, 500)):
        assert max(sum(at <= other < at + span for other in made) for at in made[::7]) <= most
