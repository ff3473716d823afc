"""The REST API: authentication, limits, conditional requests, and the check of every answer."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tests.fake_github import (
    rest_accounts,
    rest_apps,
    rest_checks,
    rest_comments,
    rest_issues,
    rest_labels,
    rest_merging,
    rest_milestones,
    rest_pulls,
    rest_refs,
    rest_repositories,
    rest_reviewers,
)
from tests.fake_github.calls import Answer, ApiError, Call, Route, find_route
from tests.fake_github.credentials import Caller, UnknownCredentialError, token_of
from tests.fake_github.faulty import SECONDARY_TEXT
from tests.fake_github.git_http import RawAnswer
from tests.fake_github.json_answers import json_answer
from tests.fake_github.validation import fault_in_answer, faults_in_request, known_fields
from tests.fake_github.values import Json

if TYPE_CHECKING:
    from tests.fake_github.server import FakeGitHub

_DOCS = "https://docs.github.com/rest"
_GROUPS = (
    rest_repositories,
    rest_pulls,
    rest_merging,
    rest_reviewers,
    rest_comments,
    rest_issues,
    rest_labels,
    rest_milestones,
    rest_checks,
    rest_refs,
    rest_accounts,
    rest_apps,
)
_ROUTES = tuple(route for group in _GROUPS for route in group.router.routes)
_CREATIONS = ("/pulls", "/comments", "/labels", "/milestones", "/requested_reviewers")
_FREE = ("/rate_limit",)


def error_body(error: ApiError) -> Json:
    """An error as GitHub words it."""
    more = {"errors": error.errors} if error.errors else {}
    return {"message": error.message, **more, "documentation_url": _DOCS, "status": str(error.status)}


class RestApi:
    """Answers requests below `/api/v3`."""

    def __init__(self, server: FakeGitHub) -> None:
        self._server = server

    def answer(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> RawAnswer:
        """The answer to one request; one at a time, like everything that reads or changes the world."""
        with self._server.world.lock:
            budget: dict[str, str] = {}
            try:
                caller, app_id = self._authenticate(path, headers)
                budget = self._count(method, path, caller)
                route, call = self._find(method, path, query, caller)
                if app_id is not None:
                    call.path["app_id"] = str(app_id)
                call.body = self._read_body(route, body)
                answer = self._carry_out(route, call)
            except ApiError as error:
                return json_answer(error.status, error_body(error), budget | error.headers)
            return self._finish(route, call, answer, budget, headers)

    def _authenticate(self, path: str, headers: dict[str, str]) -> tuple[Caller, int | None]:
        authorization = headers.get("authorization", "")
        if not authorization:
            return Caller(None), None
        try:
            token = token_of(authorization)
            if rest_apps.asks_for_app(path):
                return Caller(None), rest_apps.check_jwt(self._server, token)
            return self._server.credentials.find(token), None
        except UnknownCredentialError as error:
            raise ApiError(401, "Bad credentials") from error

    def _count(self, method: str, path: str, caller: Caller) -> dict[str, str]:
        limits, usage = self._server.limits, self._server.usage
        window = limits.window(caller.budget, "core")
        if path in _FREE:
            return limits.headers(caller.budget, "core")
        if window.remaining == 0:
            message = f"API rate limit exceeded for user ID {caller.account.id if caller.account else 0}."
            raise ApiError(403, message, **limits.headers(caller.budget, "core"))
        creates = method == "POST" and path.endswith(_CREATIONS)
        wait = self._server.secondary.take(1 if method == "GET" else 5, creates=creates)
        if wait:
            raise ApiError(403, SECONDARY_TEXT, Retry_After=str(wait), **limits.headers(caller.budget, "core"))
        window.used += 1
        usage.rest += 1
        if method != "GET":
            usage.writes += 1
            usage.creations += creates
        return limits.headers(caller.budget, "core")

    def _find(self, method: str, path: str, query: str, caller: Caller) -> tuple[Route, Call]:
        link_path, path = path, self._by_name(method, path)
        found = find_route(_ROUTES, method, path)
        if found is None:
            self._server.unknown_requests.append(f"{method} {path}")
            raise ApiError(404, "Not Found")
        route, parts = found
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        self._server.usage.endpoints[f"{method} {route.pattern.pattern}"] += 1
        self._note_unknown(f"{method} {path}?", parameters.keys() - route.query)
        call = Call(self._server, caller, method, parts, parameters, None, link_path)
        if "repo" in parts:
            state = self._server.repositories.get(f"{parts['owner']}/{parts['repo']}".lower())
            if state is not None:
                self._server.refresh(state)
        return route, call

    def _by_name(self, method: str, path: str) -> str:
        """Links of pages name a repository by its number."""
        words = path.split("/")
        if words[1] == "repos" and (state := self._server.renamed.get("/".join(words[2:4]).lower())):
            raise self._moved("/".join(["", "repositories", str(state.id), *words[4:]]), method)
        if words[1] != "repositories" or len(words) < 3:
            return path
        named = (state.full_name for state in self._server.repositories.values() if str(state.id) == words[2])
        return "/".join(["", "repos", next(named, "-/-"), *words[3:]])

    def _moved(self, path: str, method: str) -> ApiError:
        """A renamed repository: 301 for reads, 307 for writes."""
        status = 301 if method == "GET" else 307
        message = "Moved Permanently"
        return ApiError(status, message, Location=f"{self._server.api_url}{path}")

    def _note_unknown(self, where: str, names: set[str]) -> None:
        self._server.recordings.unknown_parameters.extend(f"{where}{name}" for name in sorted(names))

    def _read_body(self, route: Route, raw: bytes) -> Any:
        if not raw:
            return {}
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise ApiError(400, "Problems parsing JSON") from error
        if isinstance(body, dict):
            known = known_fields(route.takes) if route.takes else frozenset()
            self._note_unknown(f"{route.method} {route.pattern.pattern} body ", body.keys() - known)
            if route.takes and (errors := faults_in_request(route.takes, body)):
                raise ApiError(422, "Invalid request.", errors)
        return body

    def _carry_out(self, route: Route, call: Call) -> Answer:
        answer = route.endpoint(call)
        if call.method != "GET":
            for state in self._server.repositories.values():
                self._server.refresh(state)
        return answer

    def _finish(
        self, route: Route, call: Call, answer: Answer, budget: dict[str, str], headers: dict[str, str]
    ) -> RawAnswer:
        if answer.status == 204:
            return json_answer(204, None, budget | answer.headers)
        raw = json_answer(answer.status, answer.body, budget | answer.headers)
        if route.answers and (fault := fault_in_answer(route.answers, raw.body, answer.body)):
            self._server.recordings.invalid_answers.append(f"{route.method} {route.pattern.pattern}: {fault}")
            return json_answer(500, {"message": f"the fake's answer is not as published: {fault}"})
        if call.method != "GET" or answer.status != 200:
            return raw
        digest = hashlib.sha256(call.caller.token.encode() + raw.body + answer.headers.get("Link", "").encode())
        etag = f'W/"{digest.hexdigest()}"'
        if headers.get("if-none-match") == etag:
            return self._not_modified(call, etag)
        return raw._replace(headers=raw.headers | {"ETag": etag, "Cache-Control": "private, max-age=60, s-maxage=60"})

    def _not_modified(self, call: Call, etag: str) -> RawAnswer:
        """A 304 is free of the primary limit."""
        limits, usage = self._server.limits, self._server.usage
        limits.window(call.caller.budget, "core").used -= 1
        usage.rest -= 1
        usage.not_modified += 1
        return json_answer(304, None, limits.headers(call.caller.budget, "core") | {"ETag": etag})
