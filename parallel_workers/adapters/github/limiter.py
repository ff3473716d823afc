"""One limiter and one breaker for all calls with one credential, in all threads of this process.

Facts: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api (primary and secondary
limits), https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api (Retry-After).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from parallel_workers.adapters.github.timing import Timing, as_clock, as_time
from parallel_workers.adapters.github.windows import SlidingWindow
from parallel_workers.errors import ForgeBusyError

PATIENCE_SECONDS = 20.0
"""The longest that a call is held back in its own thread; for longer it fails and says until when."""
CREATING_PATIENCE_SECONDS = 60.0
"""Calls that create are queued for longer: their limit is the tightest, and each is wanted."""

_SECONDARY_SECONDS = 60.0
_SECONDARY_MAX_SECONDS = 900.0
_SPREAD_BELOW = 0.2
"""Share of the limit from which on the rest is spread over the time until it is renewed."""
_KEPT_BACK = 0.01
"""Share that is never spent by us: a person with the same token wants to work too."""


class Kind(StrEnum):
    """What a call is to GitHub's limits."""

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    GRAPHQL = "graphql"
    MUTATION = "mutation"

    @property
    def resource(self) -> str:
        """The primary limit it counts against, as `x-ratelimit-resource` names it."""
        return "graphql" if self in {Kind.GRAPHQL, Kind.MUTATION} else "core"


class _Budget(NamedTuple):
    limit: int
    remaining: int
    reset_at: float


_WEIGHTS = {Kind.READ: 1.0, Kind.WRITE: 5.0, Kind.CREATE: 5.0, Kind.GRAPHQL: 1.0, Kind.MUTATION: 5.0}


class Limiter:
    """Says when a call may go out, learns from the answers' headers, and opens the breaker."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._lock = threading.Lock()
        self._budgets: dict[str, _Budget] = {}
        self._next_at: dict[str, float] = {}
        self._busy_until = 0.0
        self._exhausted_until: dict[str, float] = {}
        self._secondary_hits = 0
        # below the documented 900 points a minute, and with room for one more process on the same token
        self._points = {"core": SlidingWindow(600, 60), "graphql": SlidingWindow(1000, 60)}
        # 80 a minute and 500 an hour are documented; never in one burst
        self._creations = (SlidingWindow(40, 10), SlidingWindow(75, 60), SlidingWindow(480, 3600))

    def admit(self, kind: Kind) -> None:
        """Return when the call may go out, after a short pause if need be.

        Raises:
            ForgeBusyError: it may not for longer than a thread should sleep.
        """
        with self._lock:
            now = self._timing.now()
            at = self._free_at(kind, now)
            # only for our own queue of creations: what GitHub refuses is over when it says, not sooner
            is_queued = kind is Kind.CREATE and self._refused_until(kind) <= now
            if at - now > (CREATING_PATIENCE_SECONDS if is_queued else PATIENCE_SECONDS):
                raise ForgeBusyError(self._reason(kind, at), as_time(at))
            self._note(kind, at)
        if at > now:
            self._timing.sleep(at - now)

    def learn(self, kind: Kind, status: int, headers: Mapping[str, str], message: str) -> bool:
        """Take in an answer; whether GitHub refused it for a limit's sake."""
        with self._lock:
            now = self._timing.now()
            self._read_budget(kind, headers)
            refused = is_limit(status, headers, message)
            if refused:
                self._open(kind, headers, message, now)
            elif status < 400:
                self._secondary_hits = 0
            return refused

    def busy(self, kind: Kind) -> ForgeBusyError:
        """The error for a call that was refused for its limit again and again: GitHub may be asked later."""
        with self._lock:
            now = self._timing.now()
            at = max(self._free_at(kind, now), now + _SECONDARY_SECONDS)
            self._busy_until = max(self._busy_until, at)
            return ForgeBusyError(_paused(at), as_time(at))

    def waits(self) -> str:
        """Why nothing is asked at the moment; '' when it is."""
        with self._lock:
            now = self._timing.now()
            exhausted = max(self._exhausted_until.values(), default=0.0)
            if exhausted - now > PATIENCE_SECONDS:
                return _used_up(exhausted)
            if self._busy_until - now > PATIENCE_SECONDS:
                return _paused(self._busy_until)
            return ""

    def slowed(self) -> str:
        """Until when the next call waits because little remains of a limit; '' when none does."""
        with self._lock:
            now = self._timing.now()
            spread = max((self._spread_at(resource, now) for resource in self._budgets), default=now)
            return _spread_out(spread) if spread - now > PATIENCE_SECONDS else ""

    def _free_at(self, kind: Kind, now: float) -> float:
        at = max(now, self._refused_until(kind))
        at = max(at, self._spread_at(kind.resource, now))
        at = max(at, self._points[kind.resource].free_at(now, _WEIGHTS[kind]))
        if kind is Kind.CREATE:
            at = max(at, *(window.free_at(now) for window in self._creations))
        return at

    def _refused_until(self, kind: Kind) -> float:
        return max(self._busy_until, self._exhausted_until.get(kind.resource, 0.0))

    def _note(self, kind: Kind, at: float) -> None:
        self._points[kind.resource].add(at, _WEIGHTS[kind])
        self._next_at[kind.resource] = at + self._gap(kind.resource, at)
        if kind is Kind.CREATE:
            for window in self._creations:
                window.add(at)

    def _spread_at(self, resource: str, now: float) -> float:
        return max(now, self._next_at.get(resource, 0.0)) if self._gap(resource, now) else now

    def _gap(self, resource: str, now: float) -> float:
        """Seconds between two calls, so that what remains lasts until the limit is renewed."""
        budget = self._budgets.get(resource)
        if budget is None or budget.reset_at <= now or budget.remaining > budget.limit * _SPREAD_BELOW:
            return 0.0
        usable = budget.remaining - budget.limit * _KEPT_BACK
        return (budget.reset_at - now) / usable if usable > 1 else budget.reset_at - now

    def _read_budget(self, kind: Kind, headers: Mapping[str, str]) -> None:
        try:
            limit = int(float(headers["x-ratelimit-limit"]))
            remaining = int(float(headers["x-ratelimit-remaining"]))
            reset_at = float(headers["x-ratelimit-reset"])
        except (KeyError, ValueError):
            return
        resource = headers.get("x-ratelimit-resource", kind.resource)
        known = self._budgets.get(resource)
        if known is not None and known.reset_at == reset_at:
            # answers overtake each other
            remaining = min(remaining, known.remaining)
        elif known is not None and reset_at < known.reset_at:
            return
        self._budgets[resource] = _Budget(limit, remaining, reset_at)

    def _open(self, kind: Kind, headers: Mapping[str, str], message: str, now: float) -> None:
        retry_after = _seconds(headers.get("retry-after"))
        if headers.get("x-ratelimit-remaining") == "0" and not _says_secondary(message):
            reset_at = _seconds(headers.get("x-ratelimit-reset")) or now + _SECONDARY_SECONDS
            resource = headers.get("x-ratelimit-resource", kind.resource)
            # GitHub's clock and ours differ a little
            self._exhausted_until[resource] = max(reset_at + 1, now + 1, now + (retry_after or 0.0))
            return
        if now >= self._busy_until or not self._secondary_hits:
            # calls that were under way together are refused together: that is one hit
            self._secondary_hits += 1
        pause = retry_after
        if pause is None:
            # "wait for at least one minute ... exponentially increasing amount of time between retries"
            pause = min(_SECONDARY_SECONDS * 2 ** (self._secondary_hits - 1), _SECONDARY_MAX_SECONDS)
        self._busy_until = max(self._busy_until, now + max(pause, 1.0))

    def _reason(self, kind: Kind, at: float) -> str:
        now = self._timing.now()
        if self._busy_until >= at:
            return _paused(at)
        if kind is Kind.CREATE and self._exhausted_until.get(kind.resource, 0.0) <= now:
            return f"GitHub takes no more than 500 new things an hour; it is asked again at {as_clock(at)}"
        return _used_up(at)


def is_limit(status: int, headers: Mapping[str, str], message: str) -> bool:
    """Whether an answer is about a limit: 429 always is, a 403 only when it says so."""
    if status == 429:
        return True
    if status not in {200, 403}:
        return False
    said = message.lower()
    if status == 200:  # GraphQL answers 200 with an error of type RATE_LIMITED, or with words about either limit
        return any(words in said for words in ("rate limit", "rate_limit", "abuse detection"))
    return (
        "retry-after" in headers
        or "rate limit" in said
        or "abuse detection" in said
        or (headers.get("x-ratelimit-remaining") == "0")
    )


def _says_secondary(message: str) -> bool:
    return "secondary" in message.lower() or "abuse" in message.lower()


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _used_up(until: float) -> str:
    return f"GitHub's limit is used up until {as_clock(until)}"


def _spread_out(until: float) -> str:
    return f"GitHub's limit is nearly used up: it is asked again at {as_clock(until)}"


def _paused(until: float) -> str:
    return f"GitHub asked for a pause until {as_clock(until)}"
