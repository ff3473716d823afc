"""Merging, auto-merge, bringing a branch up to date, closing. What GitHub's answer leaves open is read again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from parallel_workers.adapters.github.answers import Answer, RefusedError, UnknownOutcomeError
from parallel_workers.adapters.github.api import GraphAnswer, RepositoryApi
from parallel_workers.adapters.github.bodies import closed_body
from parallel_workers.adapters.github.queries import (
    AUTO_MERGE_QUERY,
    DISABLE_AUTO_MERGE,
    ENABLE_AUTO_MERGE,
    ENTER_QUEUE,
    LEAVE_QUEUE,
)
from parallel_workers.adapters.github.retries import LOOK_PAUSES_SECONDS
from parallel_workers.adapters.github.watching import Watcher
from parallel_workers.crash_points import reach
from parallel_workers.errors import ForgeError
from parallel_workers.pull_requests import MergeAttempt, MergeOutcome, PullRequest, PullRequestState
from parallel_workers.spec import MergeMethod

Json = dict[str, Any]
FindConflicts = Callable[[PullRequest], tuple[str, ...]]

_BASE_MOVED_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
_READ_PAUSES_SECONDS = (0.5, 1.0, 2.0)
_ENDED = {PullRequestState.MERGED: MergeOutcome.MERGED, PullRequestState.CLOSED: MergeOutcome.CLOSED}
_BASE_MOVED = "base branch was modified"
_NO_REBASE_WORDS = ("can't be rebased", "cannot be rebased")
_CONFLICT_WORDS = ("not mergeable", "merge conflict", *_NO_REBASE_WORDS)
_QUEUE_WORDS = "merge queue"
_LASTING_WORDS = (_QUEUE_WORDS, "not allowed", *_NO_REBASE_WORDS)
_PASSING_WORDS = ("required", "expected", "status check", "review", "draft", "in progress", *_CONFLICT_WORDS)
"""Refusals that go away as checks, reviews and GitHub's own work go on."""


class Merger:
    """Changes what pull requests are; every method may be called twice."""

    def __init__(self, api: RepositoryApi, watcher: Watcher, find_conflicts: FindConflicts) -> None:
        self._api = api
        self._watcher = watcher
        self._find_conflicts = find_conflicts

    def merge(self, number: int, method: MergeMethod, head_sha: str | None) -> MergeAttempt:
        """See ports.Forge. Without `head_sha` the head that was seen last is merged."""
        seen = self._watcher.seen_head(number)
        before = self._watcher.fetch(number)
        if before.state is not PullRequestState.OPEN:
            return _ended(before)
        meant = head_sha or seen or before.head_sha
        if before.head_sha != meant:
            return _head_moved(before, meant)
        body = {"sha": meant, "merge_method": method.value, **_texts(before, method)}
        for pause in (*_BASE_MOVED_PAUSES_SECONDS, None):
            answer = self._put_merge(number, body)
            if answer is not None and answer.is_good:
                reach("github.merged")
                return self._merged(number, answer)
            # a merge that was done and whose answer was lost is refused the second time
            now = self._watcher.fetch(number)
            if now.state is not PullRequestState.OPEN:
                return _ended(now)
            if answer is not None and not answer.names(_BASE_MOVED):
                return self._refused(now, meant, answer)
            self._api.timing.sleep(pause or 0.0)
        return MergeAttempt(MergeOutcome.WAIT, f"{now.base_branch} is moving too fast to merge into it", now)

    def enable_auto_merge(self, number: int, method: MergeMethod, head_sha: str) -> str:
        """See ports.Forge. The answer is GitHub's reason; in clean status it is to be merged at once.

        Where auto-merge is not allowed, or comes to nothing, a merge queue still takes what is ready by itself.
        """
        node_id = self._watcher.node_id(number)
        meant = {"pullRequestId": node_id, "expectedHeadOid": head_sha}
        what = f"have GitHub merge pull request #{number}"
        answer = self._mutate(what, ENABLE_AUTO_MERGE, {**meant, "mergeMethod": method.name})
        reach("github.auto-merge-enabled")
        refusals = answer.errors
        made = (answer.data.get("enablePullRequestAutoMerge") or {}).get("pullRequest")
        node = made or self._auto_merge_of(number, node_id)
        if _is_handed_over(node):  # a second time is refused
            refusals = ()
        elif node.get("isMergeQueueEnabled"):
            refusals = self._mutate(what, ENTER_QUEUE, meant).errors
        self._watcher.look_again(number)
        return "; ".join(refusals)

    def disable_auto_merge(self, number: int) -> str:
        """See ports.Forge. What is off already GitHub would refuse to switch off: that is looked at before."""
        node_id = self._watcher.node_id(number)
        refusals: list[str] = []
        node = self._auto_merge_of(number, node_id)
        if node.get("autoMergeRequest") is not None:
            refusals += self._mutate_one(number, DISABLE_AUTO_MERGE, {"pullRequestId": node_id})
            reach("github.auto-merge-disabled")
        if node.get("isInMergeQueue"):
            refusals += self._mutate_one(number, LEAVE_QUEUE, {"id": node_id})
        self._watcher.look_again(number)
        if refusals:  # it may have ended, or have left the queue, in between
            node = self._auto_merge_of(number, node_id)
        return "; ".join(refusals) if _is_handed_over(node) else ""

    def _auto_merge_of(self, number: int, node_id: str) -> Json:
        what = f"look whether GitHub merges pull request #{number} by itself"
        answer = self._api.query(what, AUTO_MERGE_QUERY, {"id": node_id})
        node: Json | None = answer.data.get("node")
        if node is None:  # not known, which is not off
            raise ForgeError(f"{what}: {'; '.join(answer.errors) or 'GitHub does not show it'}", transient=True)
        return node

    def _mutate_one(self, number: int, text: str, wish: Json) -> tuple[str, ...]:
        what = f"have GitHub no longer merge pull request #{number}"
        return self._mutate(what, text, wish).errors

    def _mutate(self, what: str, text: str, wish: Json) -> GraphAnswer:
        """The answer, with a refusal of the whole call among its errors."""
        try:
            return self._api.mutate(what, text, {"input": wish})
        except RefusedError as error:
            if not error.is_of_this_only:
                raise
            return GraphAnswer({}, (str(error),), 0)

    def update_branch(self, number: int, head_sha: str) -> str:
        """See ports.Forge. PyGithub's own turns a 403 and a 422 into the same False."""
        what = f"bring the branch of pull request #{number} up to date"
        path = f"/pulls/{number}/update-branch"
        try:
            answer = self._api.put(what, path, {"expected_head_sha": head_sha})
            reach("github.branch-updated")
        except UnknownOutcomeError:
            # done or not: a second one would be refused for the head it moved
            answer = None
        for pause in _READ_PAUSES_SECONDS:
            if answer is not None and not answer.is_good:
                break
            self._api.timing.sleep(pause)
            if self._watcher.fetch(number).head_sha != head_sha:
                return ""
        if answer is None:
            return "GitHub's answer was lost and the branch has not moved"
        self._watcher.look_again(number)
        return "" if answer.is_good else self._why_not_updated(what, number, answer, head_sha)

    def close(self, number: int, reason: str) -> PullRequest:
        """See ports.Forge. The reason goes into the body: one write says it and closes."""
        pull = self._api.find(f"look at pull request #{number}", f"/pulls/{number}")
        if pull is None:
            return self._watcher.fetch(number)
        if pull["state"] != "open":
            return self._watcher.take_in(pull)
        changes: Json = {"state": "closed"}
        if reason.strip():
            changes["body"] = closed_body(pull["body"] or "", reason)
        return self._watcher.take_in(self._api.change(f"close pull request #{number}", f"/pulls/{number}", changes))

    def _put_merge(self, number: int, body: Json) -> Answer | None:
        """None when the answer was lost."""
        try:
            return self._api.put(f"merge pull request #{number}", f"/pulls/{number}/merge", body)
        except UnknownOutcomeError:
            self._api.timing.sleep(LOOK_PAUSES_SECONDS[0])
            return None

    def _merged(self, number: int, answer: Answer) -> MergeAttempt:
        """Read until the merge shows: reads lag behind writes a little. The answer is right in any case."""
        for pause in _READ_PAUSES_SECONDS:
            seen = self._watcher.fetch(number)
            if seen.state is PullRequestState.MERGED:
                return _ended(seen)
            self._api.timing.sleep(pause)
        merged = seen._replace(state=PullRequestState.MERGED, merge_sha=answer.body.get("sha"))
        return MergeAttempt(MergeOutcome.MERGED, "merged", merged)

    def _refused(self, pull_request: PullRequest, meant: str, answer: Answer) -> MergeAttempt:
        if answer.status == 409 or pull_request.head_sha != meant:
            return _head_moved(pull_request, meant)
        if answer.status not in {405, 422}:
            why = _why_refused(f"merge pull request #{pull_request.number}", answer)
            return MergeAttempt(MergeOutcome.REFUSED, why, pull_request)
        if any(answer.names(word) for word in _CONFLICT_WORDS):
            files = self._find_conflicts(pull_request)
            if files:
                return MergeAttempt(MergeOutcome.CONFLICT, _conflict(pull_request, files), pull_request, files)
        is_lasting = any(answer.names(word) for word in _LASTING_WORDS)
        if not is_lasting and any(answer.names(word) for word in _PASSING_WORDS):
            why = f"GitHub does not merge it yet: {answer.message}"
            return MergeAttempt(MergeOutcome.WAIT, why, pull_request, is_not_yet=True)
        reason = f"GitHub refuses to merge it: {answer.message or f'status {answer.status}'}"
        needs_queue = answer.names(_QUEUE_WORDS)
        return MergeAttempt(MergeOutcome.REFUSED, reason, pull_request, needs_queue=needs_queue)

    def _why_not_updated(self, what: str, number: int, answer: Answer, head_sha: str) -> str:
        if answer.status != 422:
            return _why_refused(what, answer)
        now = self._watcher.fetch(number)
        if now.state is not PullRequestState.OPEN:
            return f"it is {now.state.value}"
        if now.head_sha != head_sha:
            return f"{now.head_branch} moved from {head_sha[:12]} since it was looked at"
        # what was asked for holds already
        if answer.names("no new commits"):
            return ""
        files = self._find_conflicts(now) if answer.names("conflict") else ()
        return _conflict(now, files) if files else answer.message


def _why_refused(what: str, answer: Answer) -> str:
    """Words for a refusal of just this; any other one is raised."""
    error = RefusedError(what, answer)
    if not error.is_of_this_only:
        raise error
    return str(error)


def _texts(pull_request: PullRequest, method: MergeMethod) -> Json:
    """Title and message of the commit on the base, where the method makes one."""
    number, title = pull_request.number, pull_request.title
    worker = f"Worker: {pull_request.worker}" if pull_request.worker else ""
    if method is MergeMethod.MERGE:
        return {"commit_title": f"Merge pull request #{number}: {title}", "commit_message": worker}
    if method is MergeMethod.SQUASH:
        message = "\n\n".join(part for part in (visible_text(pull_request.body), worker) if part)
        return {"commit_title": f"{title} (#{number})", "commit_message": message}
    return {}


def visible_text(body: str) -> str:
    """The body as a commit message: without comments that only GitHub hides."""
    return re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL).strip()


def _is_handed_over(node: Json) -> bool:
    """Whether GitHub merges it by itself, by auto-merge or by its queue."""
    return node.get("autoMergeRequest") is not None or bool(node.get("isInMergeQueue"))


def _conflict(pull_request: PullRequest, files: tuple[str, ...]) -> str:
    return f"conflicts with {pull_request.base_branch} in {', '.join(files)}"


def _ended(pull_request: PullRequest) -> MergeAttempt:
    outcome = _ENDED[pull_request.state]
    return MergeAttempt(outcome, pull_request.reason or f"it is {pull_request.state.value}", pull_request)


def _head_moved(pull_request: PullRequest, meant: str) -> MergeAttempt:
    reason = f"{pull_request.head_branch} moved from {meant[:12]} to {pull_request.head_sha[:12]} since it was judged"
    return MergeAttempt(MergeOutcome.WAIT, reason, pull_request)
