"""A pull request and its repository in GraphQL."""

from __future__ import annotations

import functools
from typing import Any

from tests.fake_github.bare_git import HEADS
from tests.fake_github.credentials import Caller
from tests.fake_github.graphql_checks import rollup_node
from tests.fake_github.graphql_errors import TypedError
from tests.fake_github.graphql_nodes import actor_node, commit_node, connection, label_node, milestone_node, paged
from tests.fake_github.graphql_reviews import ReviewNodes
from tests.fake_github.mergeability import merge_state, read_mergeable, review_decision, trial_merge
from tests.fake_github.render_pulls import PullRenderer
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Account, Json, Pull

_MERGEABLE = {None: "UNKNOWN", True: "MERGEABLE", False: "CONFLICTING"}


def state_word(pull: Pull) -> str:
    """OPEN, MERGED or CLOSED."""
    return "MERGED" if pull.merged_at else pull.state.upper()


class PullNodes:
    """Writes nodes of one repository for one caller."""

    def __init__(self, url: str, state: RepositoryState, caller: Caller) -> None:
        self._url = url
        self._state = state
        self._caller = caller

    def _actor(self, account: Account | None) -> Json | None:
        return actor_node(self._url, account) if account else None

    def pull(self, pull: Pull) -> Json:
        """A pull request. What costs git is found when it is asked for."""
        state = self._state
        page = f"{self._url}/{state.full_name}/pull/{pull.number}"
        rollup = functools.partial(self._rollup, pull.head_sha)
        fields = {
            "__typename": "PullRequest",
            "id": pull.node_id,
            "databaseId": pull.id,
            "fullDatabaseId": str(pull.id),
            "number": pull.number,
            "title": pull.title,
            "body": pull.body or "",
            "url": page,
            "permalink": page,
            "state": state_word(pull),
            "closed": pull.state == "closed",
            "merged": pull.merged_at is not None,
            "isDraft": pull.is_draft,
            "isCrossRepository": False,
            "author": self._actor(pull.author),
            "createdAt": pull.created_at,
            "updatedAt": pull.updated_at,
            "closedAt": pull.closed_at,
            "mergedAt": pull.merged_at,
            "mergedBy": self._actor(pull.merged_by),
            "mergeCommit": commit_node(pull.merge_sha),
            "potentialMergeCommit": lambda _info: commit_node(trial_merge(state, pull)),
            "labels": paged(lambda: [state.labels[key] for key in pull.label_keys], label_node),
            "milestone": milestone_node(state.milestones[pull.milestone]) if pull.milestone else None,
            "reviewDecision": lambda _info: review_decision(state, pull),
            "statusCheckRollup": rollup,
            "repository": lambda _info: self.repository(),
            **self._branches(pull),
            **self._merging(pull),
            **self._size(pull),
            **ReviewNodes(self._url, page, pull, state).fields(),
        }
        return fields | dict.fromkeys(self._caller.unseen, _forbid)

    def _rollup(self, sha: str, _info: object) -> Json | None:
        return rollup_node(self._url, self._state, sha)

    def _branches(self, pull: Pull) -> Json:
        return {
            "baseRef": lambda _info: self.ref(pull.base_branch),
            "baseRefName": pull.base_branch,
            "baseRefOid": pull.base_sha,
            "headRef": lambda _info: self.ref(pull.head_branch),
            "headRefName": pull.head_branch,
            "headRefOid": pull.head_sha,
        }

    def _merging(self, pull: Pull) -> Json:
        state, wish = self._state, pull.auto_merge
        mergeable = functools.cache(lambda: read_mergeable(state, pull))
        queue = {"__typename": "MergeQueueEntry", "id": f"MQE_{pull.id}", "position": 1, "state": "QUEUED"}
        asked = wish and {
            "enabledAt": wish.enabled_at,
            "enabledBy": self._actor(wish.enabled_by),
            "mergeMethod": wish.method.upper(),
            "commitHeadline": wish.title,
            "commitBody": wish.message,
        }
        return {
            "mergeable": lambda _info: _MERGEABLE[mergeable()],
            "mergeStateStatus": lambda _info: merge_state(state, pull, mergeable=mergeable()).upper(),
            "isInMergeQueue": pull.is_queued,
            "isMergeQueueEnabled": state.settings.has_merge_queue,
            "mergeQueueEntry": queue if pull.is_queued else None,
            "autoMergeRequest": asked,
        }

    def _size(self, pull: Pull) -> Json:
        size = functools.cache(lambda: PullRenderer(self._url, self._state).size(pull))
        return {name: lambda _info, name=name: size()[name] for name in ("additions", "deletions")}

    def ref(self, branch: str) -> Json | None:
        """A branch as it is now; None when it is gone."""
        sha = self._state.branches.get(branch)
        if sha is None:
            return None
        rules = self._state.protections.get(branch)
        rule = rules and {
            "requiredStatusCheckContexts": rules.required_checks,
            "requiredApprovingReviewCount": rules.required_reviews,
        }
        target = commit_node(sha, functools.partial(self._rollup, sha))
        ids = {"__typename": "Ref", "id": f"REF_{branch}", "name": branch, "prefix": HEADS}
        return ids | {"target": target, "refUpdateRule": rule}

    def repository(self) -> Json:
        """The repository."""
        state, settings = self._state, self._state.settings
        return {
            "__typename": "Repository",
            "id": f"R_{state.id:08d}",
            "databaseId": state.id,
            "name": state.name,
            "nameWithOwner": state.full_name,
            "url": f"{self._url}/{state.full_name}",
            "isPrivate": state.is_private,
            "autoMergeAllowed": settings.allow_auto_merge,
            "deleteBranchOnMerge": settings.delete_branch_on_merge,
            "mergeCommitAllowed": settings.allow_merge_commit,
            "squashMergeAllowed": settings.allow_squash_merge,
            "rebaseMergeAllowed": settings.allow_rebase_merge,
            "viewerPermission": state.permission_of(self._caller.account.login if self._caller.account else "").upper(),
            "defaultBranchRef": lambda _info: self.ref(state.default_branch),
            "ref": lambda _info, qualifiedName: self.ref(qualifiedName.removeprefix(HEADS)),  # noqa: N803 (GitHub's)
            "pullRequest": self._one,
            "pullRequests": self._many,
        }

    def _one(self, _info: object, number: int) -> Json:
        pull = self._state.pulls.get(number)
        if pull is None:
            raise TypedError("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
        return self.pull(pull)

    def _many(self, _info: object, **arguments: Any) -> Json:
        found = [
            pull
            for pull in self._state.pulls.values()
            if (not arguments.get("states") or state_word(pull) in arguments["states"])
            and arguments.get("headRefName") in {None, pull.head_branch}
            and arguments.get("baseRefName") in {None, pull.base_branch}
            and _has_label(pull, arguments.get("labels"))
        ]
        order = arguments.get("orderBy") or {"field": "CREATED_AT", "direction": "ASC"}
        key = "updated_at" if order["field"] == "UPDATED_AT" else "created_at"
        found.sort(key=lambda pull: (getattr(pull, key), pull.number), reverse=order["direction"] == "DESC")
        return connection(found, self.pull, arguments)


def _forbid(_info: object, **_: object) -> Json:
    raise TypedError("FORBIDDEN", "Resource not accessible by personal access token")


def _has_label(pull: Pull, wanted: list[str] | None) -> bool:
    return not wanted or not {name.lower() for name in wanted}.isdisjoint(pull.label_keys)
