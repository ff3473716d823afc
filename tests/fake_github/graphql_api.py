"""`POST /api/graphql`: a query is parsed, held against the schema, weighed, and then carried out."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from tests.fake_github.credentials import Caller, UnknownCredentialError, token_of
from tests.fake_github.git_http import RawAnswer
from tests.fake_github.graphql_errors import TypedError, error_json, raise_own_mistakes
from tests.fake_github.graphql_mutations import Mutations, find_pull
from tests.fake_github.graphql_nodes import actor_node
from tests.fake_github.graphql_pulls import PullNodes
from tests.fake_github.graphql_weight import Weight, weigh
from tests.fake_github.json_answers import json_answer
from tests.fake_github.mergeability import judge_asked
from tests.fake_github.values import Json

if TYPE_CHECKING:
    from tests.fake_github.server import FakeGitHub


_WENT_WRONG = "Something went wrong while executing your query. Please include `1234:5678` when reporting this issue."


@functools.cache
def published_schema() -> GraphQLSchema:
    """The part of GitHub's schema that is served."""
    return build_schema(Path(__file__).with_name("schema.graphql").read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=200)
def _checked(query: str) -> tuple[DocumentNode, tuple[GraphQLError, ...]]:
    document = parse(query)
    return document, tuple(validate(published_schema(), document))


class GraphqlApi:
    """Answers GraphQL requests."""

    def __init__(self, server: FakeGitHub) -> None:
        self._server = server

    def answer(self, headers: dict[str, str], body: bytes) -> RawAnswer:
        """The answer; errors of a query come with status 200, as in life."""
        with self._server.world.lock:
            try:
                authorization = headers.get("authorization", "")
                caller = self._server.credentials.find(token_of(authorization)) if authorization else Caller(None)
            except UnknownCredentialError:
                return json_answer(401, {"message": "Bad credentials"})
            if caller.account is None:
                return json_answer(401, {"message": "This endpoint requires you to be authenticated."})
            if any(node_id.encode() in body for node_id in self._server.unanswerable):
                return json_answer(200, {"data": None, "errors": [{"message": _WENT_WRONG}]})
            request = json.loads(body)
            answered = self._carry_out(caller, request)
            return json_answer(200, answered, self._server.limits.headers(caller.budget, "graphql"))

    def _carry_out(self, caller: Caller, request: Json) -> Json:
        self._server.usage.graphql += 1
        variables = request.get("variables") or {}
        try:
            document, errors = _checked(request["query"])
        except GraphQLError as error:
            return {"errors": [error_json(error)]}
        if errors:
            return {"errors": [error_json(error) for error in errors]}
        operation = get_operation_ast(document, request.get("operationName"))
        if operation is None:
            return {"errors": [{"message": "A query attribute must be specified and must be a string."}]}
        try:
            weight = weigh(published_schema(), document, operation, variables)
            self._pay(caller, operation, weight)
        except TypedError as error:
            return {"errors": [{"type": error.kind, "message": str(error)}]}
        for state in self._server.repositories.values():
            self._server.refresh(state)
        root = self._root(caller, weight)
        name = request.get("operationName")
        result = execute_sync(published_schema(), document, root, variable_values=variables, operation_name=name)
        raise_own_mistakes(result.errors or [])
        errors_part = {"errors": [error_json(error) for error in result.errors]} if result.errors else {}
        return {"data": result.data, **errors_part}

    def _pay(self, caller: Caller, operation: OperationDefinitionNode, weight: Weight) -> None:
        window = self._server.limits.window(caller.budget, "graphql")
        if window.remaining < weight.points:
            number = caller.account.id if caller.account else 0
            raise TypedError("RATE_LIMITED", f"API rate limit exceeded for user ID {number}.")
        window.used += weight.points
        self._server.usage.graphql_points += weight.points
        self._server.usage.writes += operation.operation is OperationType.MUTATION

    def _root(self, caller: Caller, weight: Weight) -> Json:
        server = self._server
        return {
            "node": lambda _info, id: self._node(caller, id),  # noqa: A006 (GitHub's name)
            "nodes": lambda _info, ids: self._nodes(caller, ids),
            "repository": lambda _info, owner, name, **_: self._repository(caller, f"{owner}/{name}"),
            "viewer": lambda _info: actor_node(server.url, caller.account) if caller.account else None,
            "rateLimit": lambda _info, **_: self._rate_limit(caller, weight),
            **Mutations(server, caller).fields(),
        }

    def _node(self, caller: Caller, node_id: str) -> Json:
        found = find_pull(self._server, caller, node_id)
        if found is None:
            raise TypedError("NOT_FOUND", f"Could not resolve to a node with the global id of '{node_id}'")
        return PullNodes(self._server.url, found[0], caller).pull(found[1])

    def _nodes(self, caller: Caller, ids: list[str]) -> list[Json | TypedError]:
        found = [pair for one in ids if (pair := find_pull(self._server, caller, one))]
        for state in self._server.repositories.values():
            judge_asked(state, [pull for owner, pull in found if owner is state])
        return [self._node_or_error(caller, one) for one in ids]

    def _node_or_error(self, caller: Caller, node_id: str) -> Json | TypedError:
        """An error in a list is told for that item; the others are answered."""
        try:
            return self._node(caller, node_id)
        except TypedError as error:
            return error

    def _repository(self, caller: Caller, full_name: str) -> Json:
        state = self._server.repositories.get(full_name.lower())
        if state is None or not caller.may(state, "read"):
            raise TypedError("NOT_FOUND", f"Could not resolve to a Repository with the name '{full_name}'.")
        return PullNodes(self._server.url, state, caller).repository()

    def _rate_limit(self, caller: Caller, weight: Weight) -> dict[str, Any]:
        window = self._server.limits.window(caller.budget, "graphql")
        later = window.reset_at - self._server.clock.seconds()
        return {
            "cost": weight.points,
            "nodeCount": weight.nodes,
            "limit": window.limit,
            "used": window.used,
            "remaining": window.remaining,
            "resetAt": self._server.clock.stamp(later),
        }
