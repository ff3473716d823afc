"""GitHub's primary limits: so many REST requests and GraphQL points an hour for each user."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.fake_github.clock import Clock
from tests.fake_github.values import Json

_HOUR = 3600.0


@dataclass
class Window:
    """One user's budget for one resource until `reset_at`."""

    limit: int
    reset_at: float
    used: int = 0

    @property
    def remaining(self) -> int:
        """What is left, never below zero."""
        return max(0, self.limit - self.used)


@dataclass
class Limits:
    """Budgets by user and resource ('core' for REST, 'graphql')."""

    clock: Clock
    core: int = 5000
    graphql: int = 5000
    anonymous: int = 60
    window_seconds: float = _HOUR
    _windows: dict[tuple[str, str], Window] = field(default_factory=dict)

    def window(self, budget: str, resource: str) -> Window:
        """The budget as it is now; a new one when the hour is over."""
        found = self._windows.get((budget, resource))
        if found is None or found.reset_at <= self.clock.seconds():
            limit = self.graphql if resource == "graphql" else self.core
            limit = self.anonymous if budget == "anonymous" else limit
            found = Window(limit, self.clock.seconds() + self.window_seconds)
            self._windows[(budget, resource)] = found
        return found

    def set(self, budget: str, resource: str = "core", *, remaining: int, reset_after_seconds: float = _HOUR) -> None:
        """What this user has left, and for how long."""
        found = self.window(budget, resource)
        found.used = found.limit - remaining
        found.reset_at = self.clock.seconds() + reset_after_seconds

    def headers(self, budget: str, resource: str) -> dict[str, str]:
        """The x-ratelimit headers of an answer."""
        found = self.window(budget, resource)
        return {
            "x-ratelimit-limit": str(found.limit),
            "x-ratelimit-remaining": str(found.remaining),
            "x-ratelimit-used": str(found.used),
            "x-ratelimit-reset": str(int(found.reset_at)),
            "x-ratelimit-resource": resource,
        }

    def overview(self, budget: str) -> Json:
        """What `GET /rate_limit` answers."""
        resources = {name: self._as_json(budget, name) for name in ("core", "graphql")}
        search = {"limit": 30, "used": 0, "remaining": 30, "reset": int(self.clock.seconds() + 60)}
        return {"resources": resources | {"search": search}, "rate": resources["core"]}

    def _as_json(self, budget: str, resource: str) -> Json:
        found = self.window(budget, resource)
        return {
            "limit": found.limit,
            "used": found.used,
            "remaining": found.remaining,
            "reset": int(found.reset_at),
        }
