"""What the fake remembers of the requests it got."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple


class RecordedRequest(NamedTuple):
    """One request as it came, credentials included."""

    method: str
    target: str
    """Path and query, as sent."""
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def authorization(self) -> str:
        """The Authorization header, or ''."""
        return self.headers.get("authorization", "")


@dataclass
class Usage:
    """Counters since the last `reset`."""

    rest: int = 0
    """REST requests that count on the primary limit."""
    not_modified: int = 0
    writes: int = 0
    """REST requests other than GET, and GraphQL mutations."""
    creations: int = 0
    """Writes that create content: pull requests, comments, labels, milestones, requests for review."""
    graphql: int = 0
    graphql_points: int = 0
    git: int = 0
    pushes: int = 0
    branch_updates: int = 0
    endpoints: Counter[str] = field(default_factory=Counter)
    """Times each endpoint was asked, by 'METHOD pattern'."""

    def reset(self) -> None:
        """Count from zero again."""
        self.__dict__.update(Usage().__dict__)


@dataclass
class Recordings:
    """Everything that a test may want to look at afterwards."""

    requests: list[RecordedRequest] = field(default_factory=list)
    unknown_requests: list[str] = field(default_factory=list)
    unknown_parameters: list[str] = field(default_factory=list)
    invalid_answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """Tracebacks of the fake's own mistakes."""
