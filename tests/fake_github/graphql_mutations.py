"""Changes over GraphQL: auto-merge, and drafts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.fake_github.credentials import Caller
from tests.fake_github.graphql_errors import TypedError
from tests.fake_github.graphql_nodes import actor_node
from tests.fake_github.graphql_pulls import PullNodes
from tests.fake_github.mergeability import judge, merge_state
from tests.fake_github.merging import is_ready
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import AutoMerge, Json, Pull

if TYPE_CHECKING:
    from tests.fake_github.server import FakeGitHub

_ALLOWED = {"MERGE": "allow_merge_commit", "SQUASH": "allow_squash_merge", "REBASE": "allow_rebase_merge"}
_Change = Callable[[RepositoryState, Pull, Json], None]


class Mutations:
    """Mutations for one caller."""

    def __init__(self, server: FakeGitHub, caller: Caller) -> None:
        self._server = server
        self._caller = caller

    def fields(self) -> Json:
        """Fields of Mutation."""
        return {
            "enablePullRequestAutoMerge": self._mutation(self._enable),
            "dequeuePullRequest": self._dequeue,
            "enqueuePullRequest": self._enqueue,
            "disablePullRequestAutoMerge": self._mutation(_disable),
            "markPullRequestReadyForReview": self._mutation(_ready),
            "convertPullRequestToDraft": self._mutation(_draft),
        }

    def _mutation(self, change: _Change) -> Callable[..., Json]:
        def resolve(_info: object, **arguments: Any) -> Json:
            wish = arguments["input"]
            state, pull = self._find(wish["pullRequestId"])
            change(state, pull, wish)
            state.touch(pull)
            self._server.refresh(state)
            account = self._caller.account
            return {
                "clientMutationId": wish.get("clientMutationId"),
                "actor": actor_node(self._server.url, account) if account else None,
                "pullRequest": PullNodes(self._server.url, state, self._caller).pull(pull),
            }

        return resolve

    def _dequeue(self, _info: object, **arguments: Any) -> Json:
        wish = arguments["input"]
        state, pull = self._find(wish["id"])
        if not pull.is_queued:
            raise TypedError("UNPROCESSABLE", "Pull request is not in the merge queue")
        pull.is_queued, pull.auto_merge = False, None
        state.touch(pull)
        return {"clientMutationId": wish.get("clientMutationId"), "mergeQueueEntry": None}

    def _enqueue(self, _info: object, **arguments: Any) -> Json:
        """At once, and only what is ready; the repository need not allow auto-merge for it."""
        wish = arguments["input"]
        state, pull = self._find(wish["pullRequestId"])
        reasons = {
            "Pull request No merge queue found for this branch": not state.settings.has_merge_queue,
            "Pull request Head sha didn't match expected head sha": wish.get("expectedHeadOid")
            not in {None, pull.head_sha},
            "Pull request Pull request is already in the queue": pull.is_queued,
            "Pull request Pull request is not ready to be merged": not is_ready(state, pull),
        }
        if why := next((reason for reason, holds in reasons.items() if holds), ""):
            raise TypedError("UNPROCESSABLE", why)
        pull.is_queued = True
        state.touch(pull)
        entry = {"__typename": "MergeQueueEntry", "id": f"MQE_{pull.id}", "position": 1, "state": "QUEUED"}
        return {"clientMutationId": wish.get("clientMutationId"), "mergeQueueEntry": entry}

    def _find(self, node_id: str) -> tuple[RepositoryState, Pull]:
        found = find_pull(self._server, self._caller, node_id)
        if found is None:
            raise TypedError("NOT_FOUND", f"Could not resolve to a node with the global id of '{node_id}'")
        if not self._caller.may(found[0], "write"):
            raise TypedError("FORBIDDEN", "Resource not accessible by personal access token")
        return found

    def _enable(self, state: RepositoryState, pull: Pull, wish: Json) -> None:
        method, account = wish.get("mergeMethod") or "MERGE", self._caller.account
        if why := _why_not(state, pull, wish, method):
            raise TypedError("UNPROCESSABLE", why)
        if account is not None:
            title, message = wish.get("commitHeadline"), wish.get("commitBody")
            pull.auto_merge = AutoMerge(method.lower(), state.world.clock.stamp(), account, title, message)


def _why_not(state: RepositoryState, pull: Pull, wish: Json, method: str) -> str:
    """Why auto-merge cannot be enabled; ''. The doubled words are GitHub's own."""
    settings = state.settings
    is_ruled = pull.base_branch in state.protections or settings.has_merge_queue
    reasons = {
        "Pull request Auto merge is not allowed for this repository": not settings.allow_auto_merge,
        "Pull request Pull request is closed": pull.state != "open",
        "Pull request Head sha didn't match expected head sha": wish.get("expectedHeadOid")
        not in {None, pull.head_sha},
        "Pull request Pull request is in draft state": pull.is_draft,
        "Pull request Protected branch rules not configured for this branch": not is_ruled,
        f"Merge method {method.lower()} merging is not allowed on this repository": not getattr(
            settings, _ALLOWED[method]
        ),
    }
    found = next((reason for reason, holds in reasons.items() if holds), "")
    return found or _unfit_status(state, pull)


def _unfit_status(state: RepositoryState, pull: Pull) -> str:
    word = merge_state(state, pull, mergeable=judge(state, pull))
    unfit = {"dirty"} if state.settings.has_merge_queue else {"clean", "unstable", "dirty"}
    return f"Pull request Pull request is in {word} status" if word in unfit else ""


def _disable(state: RepositoryState, pull: Pull, wish: Json) -> None:
    if pull.auto_merge is None:
        raise TypedError("UNPROCESSABLE", "Can't disable auto-merge for this pull request.")
    pull.auto_merge = None


def _ready(state: RepositoryState, pull: Pull, wish: Json) -> None:
    if pull.state != "open":
        raise TypedError("UNPROCESSABLE", "Pull request is closed")
    pull.is_draft = False


def _draft(state: RepositoryState, pull: Pull, wish: Json) -> None:
    if pull.state != "open":
        raise TypedError("UNPROCESSABLE", "Pull request is closed")
    pull.is_draft = True


def find_pull(server: FakeGitHub, caller: Caller, node_id: str) -> tuple[RepositoryState, Pull] | None:
    """A pull request that the caller may see, by its node id."""
    for state in server.repositories.values():
        pull = state.pulls_by_node.get(node_id)
        if pull is not None and caller.may(state, "read"):
            return state, pull
    return None
