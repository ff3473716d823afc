"""Finds who answers a request: git, REST, GraphQL, or the store of logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult

from tests.fake_github.credentials import Caller, UnknownCredentialError, token_of
from tests.fake_github.git_http import (
    GitRequest,
    GitTarget,
    RawAnswer,
    find_git_target,
    run_backend,
    unauthorized,
)
from tests.fake_github.graphql_api import GraphqlApi
from tests.fake_github.json_answers import json_answer
from tests.fake_github.logs import LOGS_PATH, read_log
from tests.fake_github.rest import RestApi

if TYPE_CHECKING:
    from tests.fake_github.server import FakeGitHub

_REST = re.compile(r"/api/v3(/.*)")


class Dispatcher:
    """Answers each request once."""

    def __init__(self, server: FakeGitHub) -> None:
        self._server = server
        self._rest = RestApi(server)
        self._graphql = GraphqlApi(server)

    def answer(self, method: str, parts: SplitResult, headers: dict[str, str], body: bytes) -> RawAnswer:
        """The answer, with nothing broken."""
        if target := find_git_target(parts.path, parts.query):
            return self._git(target, GitRequest(method, parts.query, headers, body))
        if parts.path.startswith(LOGS_PATH):
            return read_log(self._server, parts, headers.get("authorization", ""))
        if parts.path.startswith("/api/") and not headers.get("user-agent"):
            return json_answer(403, {"message": "Request forbidden by administrative rules. No User-Agent header."})
        if parts.path == "/api/graphql" and method == "POST":
            return self._graphql.answer(headers, body)
        if match := _REST.fullmatch(parts.path):
            return self._rest.answer(method, match[1], parts.query, headers, body)
        self._server.unknown_requests.append(f"{method} {parts.path}")
        return json_answer(404, {"message": "Not Found"})

    def _git(self, target: GitTarget, request: GitRequest) -> RawAnswer:
        with self._server.world.lock:
            self._server.usage.git += 1
            state = self._server.repositories.get(target.full_name.lower())
            state = state or self._server.renamed.get(target.full_name.lower())
            try:
                authorization = request.headers.get("authorization", "")
                caller = self._server.credentials.find(token_of(authorization)) if authorization else Caller(None)
            except UnknownCredentialError:
                return unauthorized()
            needed = "write" if target.is_push else "read"
            if state is None or not caller.may(state, needed):
                if caller.account is None:
                    return unauthorized()
                is_visible = state is not None and caller.may(state, "read")
                return RawAnswer(403 if is_visible else 404, {}, b"Repository not found or permission denied.\n")
        login = caller.account.login if caller.account else ""
        answer = run_backend(state.git.path, target, request, login)
        if target.rest == "git-receive-pack":
            with self._server.world.lock:
                self._server.usage.pushes += 1
            self._server.refresh(state)
        return answer
