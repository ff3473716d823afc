"""Errors of the GraphQL API, with GitHub's `type`."""

from __future__ import annotations

from collections.abc import Iterable

from graphql import GraphQLError

from tests.fake_github.values import Json


class TypedError(Exception):
    """An error that GitHub gives a `type`: NOT_FOUND, UNPROCESSABLE, FORBIDDEN, ..."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def raise_own_mistakes(errors: Iterable[GraphQLError]) -> None:
    """An error that is neither a query's nor GitHub's is the fake's own, and must not look like an answer."""
    for error in errors:
        cause = error.original_error
        if cause is not None and not isinstance(cause, TypedError | GraphQLError):
            raise cause


def error_json(error: GraphQLError) -> Json:
    """An entry of `errors`."""
    found: Json = {"message": error.message}
    if error.path:
        found["path"] = list(error.path)
    if error.locations:
        found["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if isinstance(error.original_error, TypedError):
        return {"type": error.original_error.kind, **found}
    return found
