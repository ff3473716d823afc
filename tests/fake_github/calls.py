"""A request to an endpoint, its answer, and how endpoints are found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from tests.fake_github.credentials import Caller
from tests.fake_github.values import Account, Json, Pull

if TYPE_CHECKING:
    from tests.fake_github.server import FakeGitHub
    from tests.fake_github.state import RepositoryState


class ApiError(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, message: str, errors: Iterable[Any] = (), **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = list(errors)
        self.headers = {name.replace("_", "-"): text for name, text in headers.items()}


def not_found() -> ApiError:
    """What GitHub says of everything that is not there or not to be seen."""
    return ApiError(404, "Not Found")


def invalid(resource: str, name: str, code: str = "invalid", **more: Any) -> ApiError:
    """422 about a field."""
    return ApiError(422, "Validation Failed", [{"resource": resource, "field": name, "code": code, **more}])


@dataclass
class Answer:
    """What an endpoint answers. `body` is None for an empty one."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Call:
    """A request, taken apart."""

    server: FakeGitHub
    caller: Caller
    method: str
    path: dict[str, str]
    query: dict[str, str]
    body: Any
    link_path: str = ""
    """Path for Link headers, which name the repository by its number."""

    @property
    def fields(self) -> Json:
        """The body as an object; {} when it is none."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def account(self) -> Account:
        """Who is asking. Raises ApiError 401 when nobody says so."""
        if self.caller.account is None:
            raise ApiError(401, "Requires authentication")
        return self.caller.account

    @property
    def repository(self) -> RepositoryState:
        """The repository of the path. Raises ApiError 404 when the caller may not see it."""
        found = self.server.repositories.get(f"{self.path['owner']}/{self.path['repo']}".lower())
        if found is None or not self.caller.may(found, "read"):
            raise not_found()
        return found

    def writable(self, permission: str) -> RepositoryState:
        """The repository, for a change that needs this permission of an App or fine-grained token."""
        found = self.repository
        if self.account and not self.caller.may(found, "write"):
            kind = "personal access token" if self.caller.installation is None else "integration"
            message = f"Resource not accessible by {kind}"
            raise ApiError(403, message, x_accepted_github_permissions=f"{permission}=write")
        return found

    @property
    def pull(self) -> Pull:
        """The pull request of the path. Raises ApiError 404."""
        number = self.path["number"]
        found = self.repository.pulls.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise not_found()
        return found


Endpoint = Callable[[Call], Answer]


class Route(NamedTuple):
    """An endpoint, with the githubkit models of what it takes and answers."""

    method: str
    pattern: re.Pattern[str]
    endpoint: Endpoint
    answers: str | None
    takes: str | None
    query: frozenset[str]


class Router:
    """A group of endpoints."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def add(
        self, target: str, *, answers: str | None, takes: str | None = None, query: Iterable[str] = ()
    ) -> Callable[[Endpoint], Endpoint]:
        """Decorator: serve `METHOD /path/{name}`; a name with a star takes slashes too.

        `answers` is a githubkit model, `list[Model]`, or None for an answer without JSON; `takes` is the model of
        the request's body.
        """
        method, path = target.split(" ")
        pattern = re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", path)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)

        def keep(endpoint: Endpoint) -> Endpoint:
            known = frozenset(query)
            self.routes.append(Route(method, re.compile(pattern), endpoint, answers, takes, known))
            return endpoint

        return keep


def find_route(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The endpoint of a path (still percent-encoded) with the decoded parts of it."""
    for route in routes:
        if route.method == method and (match := route.pattern.fullmatch(path)):
            return route, {name: unquote(text) for name, text in match.groupdict().items()}
    return None
