"""Small nodes of the GraphQL API: connections, actors, labels, commits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tests.fake_github.values import Account, Json, Label, Milestone

_T = TypeVar("_T")
Resolver = Callable[..., Any]


def connection(items: Sequence[_T], write: Callable[[_T], Json], arguments: Json) -> Json:
    """The part of a list that `first`/`last` and `after`/`before` ask for; cursors are positions."""
    start = int(arguments.get("after") or 0)
    end = int(arguments["before"]) - 1 if arguments.get("before") else len(items)
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None:
        end = min(end, start + int(first))
    elif last is not None:
        start = max(start, end - int(last))
    page = {
        "hasNextPage": end < len(items),
        "hasPreviousPage": start > 0,
        "startCursor": str(start + 1) if end > start else None,
        "endCursor": str(end) if end > start else None,
    }
    return {"totalCount": len(items), "nodes": [write(item) for item in items[start:end]], "pageInfo": page}


def paged(items: Callable[[], Sequence[_T]], write: Callable[[_T], Json]) -> Resolver:
    """A field that is a connection over these items, found when it is asked for."""

    def resolve(_info: object, **arguments: Any) -> Json:
        return connection(items(), write, arguments)

    return resolve


def actor_node(url: str, account: Account) -> Json:
    """A user or bot. The login of a bot is without the `[bot]` that REST writes."""
    login = account.login.removesuffix("[bot]")
    return {
        "__typename": account.kind if account.kind == "Bot" else "User",
        "id": f"U_{account.id:08d}",
        "databaseId": account.id,
        "login": login,
        "avatarUrl": f"{url}/avatars/{account.id}",
        "resourcePath": f"/{login}",
        "url": f"{url}/{login}",
    }


def label_node(label: Label) -> Json:
    """A label."""
    return {
        "__typename": "Label",
        "id": f"LA_{label.id:08d}",
        "name": label.name,
        "color": label.color,
        "description": label.description,
    }


def milestone_node(milestone: Milestone) -> Json:
    """A milestone."""
    return {
        "__typename": "Milestone",
        "id": f"MI_{milestone.id:08d}",
        "number": milestone.number,
        "title": milestone.title,
    }


def commit_node(sha: str | None, rollup: Resolver | None = None) -> Json | None:
    """A commit; None for none."""
    if sha is None:
        return None
    return {"__typename": "Commit", "id": f"C_{sha}", "oid": sha, "statusCheckRollup": rollup}
