"""What is not to be read of a pull request: for want of a permission, or since GitHub gives no more at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from parallel_workers.adapters.github.api import GraphProblem
from parallel_workers.adapters.github.queries import THREADS_MOST

Json = dict[str, Any]

CHECKS, REVIEWS, OLDER = "checks", "reviews", "older conversations"
_FORBIDDEN = {"FORBIDDEN", "INSUFFICIENT_SCOPES"}
_REVIEW_FIELDS = {"reviews", "reviewThreads", "reviewDecision"}


def unreadable_parts(problems: Iterable[GraphProblem], place: tuple[str | int, ...], node: Json) -> frozenset[str]:
    """`CHECKS` and `REVIEWS`, where GitHub answered null for want of a permission, of the node at `place`.

    And `OLDER`, where it has more conversations than GitHub gives at once.

    A sum of checks that is told says enough, even where single checks are left out of it.
    """
    asked = {
        problem.path[len(place)]
        for problem in problems
        if problem.kind in _FORBIDDEN and problem.path[: len(place)] == place and len(problem.path) > len(place)
    }
    parts = {REVIEWS} if asked & _REVIEW_FIELDS else set()
    if "statusCheckRollup" in asked and not node.get("statusCheckRollup"):
        parts.add(CHECKS)
    if ((node.get("reviewThreads") or {}).get("totalCount") or 0) > THREADS_MOST:
        parts.add(OLDER)
    return frozenset(parts)


def filled_in(node: Json) -> Json:
    """The node with empty lists where GitHub answered null for them."""
    reviews = node.get("reviews") or {"totalCount": 0, "nodes": []}
    listed = node.get("reviewThreads") or {"totalCount": 0, "nodes": []}
    threads = listed | {"nodes": [thread for thread in listed["nodes"] or () if thread]}
    return {**node, "reviews": reviews, "reviewThreads": threads}


def say_unreadable(parts: Iterable[str]) -> str:
    """Why nothing is merged on what is known, and what to do about it."""
    what = " and ".join(sorted(set(parts) - {OLDER}))
    if not what:
        return (
            f"it has more than {THREADS_MOST} conversations, and whether the older ones are resolved is not seen: "
            "a person has to look and merge"
        )
    return f"the credentials may not read {what}: give the token or App read access to {what}"
