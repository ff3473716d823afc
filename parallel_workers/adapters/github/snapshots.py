"""From GitHub's GraphQL answer to the snapshot that decisions are made from. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from parallel_workers.adapters.github.api import RepositoryFacts
from parallel_workers.adapters.github.unreadable import say_unreadable
from parallel_workers.pull_request_snapshots import (
    Check,
    CheckState,
    Mergeable,
    PullRequestSnapshot,
    Remark,
    ReviewState,
)
from parallel_workers.pull_requests import PullRequest

Json = dict[str, Any]

_MERGEABLE = {"MERGEABLE": Mergeable.YES, "CONFLICTING": Mergeable.CONFLICTING}
_GREEN = {"SUCCESS", "NEUTRAL", "SKIPPED"}
_PENDING_STATUSES = {"PENDING", "EXPECTED"}
_WAITING_ROLLUPS = {"PENDING", "EXPECTED"}
_RED_ROLLUPS = {"FAILURE", "ERROR"}
_NO_CONTEXTS: Json = {"nodes": [], "pageInfo": {"hasNextPage": False}}
RUN_KEY = "check-run:"
"""Begins the key of a check run; a commit status has no log and no key."""


def as_snapshot(
    pull_request: PullRequest, node: Json, facts: RepositoryFacts, unreadable: Collection[str] = ()
) -> PullRequestSnapshot:
    """The pull request with what GraphQL said of it: a full answer, or a brief one where that says it all.

    An answer about another head than the pull request's says nothing about its checks and mergeability. Where something
    is unreadable GitHub is not asked to merge by itself either: what it does not require it would not wait for.
    """
    is_current = node["headRefOid"] == pull_request.head_sha
    checks = read_checks(node) if is_current else ()
    has_queue = bool(node.get("isMergeQueueEnabled"))
    snapshot = PullRequestSnapshot(
        pull_request=pull_request,
        is_draft=node["isDraft"],
        mergeable=_MERGEABLE.get(node["mergeable"], Mergeable.UNKNOWN) if is_current else Mergeable.UNKNOWN,
        checks=checks,
        is_awaiting_checks=not is_current or _is_waiting(node, checks),
        review=read_review(node),
        remarks=read_remarks(node),
        # a queue brings up to date what it merges
        is_behind=node["mergeStateStatus"] == "BEHIND" and not has_queue,
        is_queued=bool(node.get("isInMergeQueue")),
        has_queue=has_queue,
        is_auto_merging=node.get("autoMergeRequest") is not None,
        can_auto_merge=facts.can_auto_merge and not unreadable,
        allowed_methods=facts.allowed_methods,
        base_sha=_base_sha(node),
    )
    return snapshot._replace(blocked_by=say_unreadable(unreadable) if unreadable else _blocked_by(node, snapshot))


def bare_snapshot(pull_request: PullRequest, facts: RepositoryFacts) -> PullRequestSnapshot:
    """One of which nothing but REST is known yet: the rest is still found out."""
    return PullRequestSnapshot(
        pull_request,
        mergeable=Mergeable.UNKNOWN,
        is_awaiting_checks=True,
        can_auto_merge=facts.can_auto_merge,
        allowed_methods=facts.allowed_methods,
    )


def read_checks(node: Json) -> tuple[Check, ...]:
    """Check runs and commit statuses of the head, by name: of those that repeat each other the newest.

    A job of another workflow, event or app is another check, though it has the same name.
    """
    rollup = node.get("statusCheckRollup")
    if not rollup:
        return ()
    contexts = rollup.get("contexts") or _NO_CONTEXTS
    newest: dict[tuple[str, ...], tuple[int, Check]] = {}
    readable = [context for context in contexts["nodes"] if context]
    for context in readable:
        age, check = _read_context(context)
        key = _origin(context)
        if key not in newest or newest[key][0] <= age:
            newest[key] = age, check
    checks = [check for _, check in sorted(newest.values(), key=lambda one: one[1].name)]
    is_red = any(check.state is CheckState.RED for check in checks)
    if rollup["state"] in _RED_ROLLUPS and not is_red:
        if contexts["pageInfo"]["hasNextPage"]:
            checks.append(Check("a check beyond the first hundred", CheckState.RED))
        elif len(readable) < len(contexts["nodes"]):
            # GitHub leaves check runs out for a token without the permission for them, and still tells the sum
            checks.append(Check("a check that the credentials may not read", CheckState.RED))
        elif contexts is not _NO_CONTEXTS:
            checks.append(Check("a check that GitHub counts and does not list", CheckState.RED))
    return tuple(checks)


def read_review(node: Json) -> ReviewState:
    """Each latest verdict of those who may push; GitHub's own decision is null where the base asks for none."""
    latest = _verdicts(node)
    if node["reviewDecision"] == "CHANGES_REQUESTED" or "CHANGES_REQUESTED" in latest.values():
        return ReviewState.CHANGES_REQUESTED
    if node["reviewDecision"] == "REVIEW_REQUIRED":
        return ReviewState.REQUIRED
    approved = node["reviewDecision"] == "APPROVED" or "APPROVED" in latest.values()
    return ReviewState.APPROVED if approved else ReviewState.NONE


def read_remarks(node: Json) -> tuple[Remark, ...]:
    """Unresolved threads and the texts of reviews that request changes, of bots and people who have a say here.

    Anybody may write below a public pull request: what a stranger wants is not worked on, and does not hold it up.
    """
    unresolved = (thread for thread in node["reviewThreads"]["nodes"] if not thread["isResolved"])
    threads = (_read_thread(thread) for thread in unresolved if "comments" in thread)
    latest = {_login(review): review for review in _reviews(node)}
    texts = (
        Remark(review["id"], _login(review), review["body"], url=review["url"])
        for review in latest.values()
        if review["state"] == "CHANGES_REQUESTED" and review["body"].strip()
    )
    return (*(thread for thread in threads if thread), *texts)


def _verdicts(node: Json) -> dict[str, str]:
    """The last review that is more than a comment, by reviewer; GitHub lists the oldest first."""
    return {_login(review): review["state"] for review in _reviews(node)}


def _reviews(node: Json) -> list[Json]:
    """Those that count: of an app that was let in, or of somebody with write access."""
    listed = node["reviews"].get("nodes") or ()
    return [review for review in listed if review and _has_a_say(review, review)]


def _has_a_say(said: Json, review: Json | None) -> bool:
    """Whether it is by somebody who may push, or by an app that was let in; each comment belongs to a review.

    `authorAssociation` tells neither: it hides who conceals being a member, and counts members who may only read.
    """
    is_by_bot = (said.get("author") or {}).get("__typename") == "Bot"
    return is_by_bot or bool(review and review["authorCanPushToRepository"])


def _read_thread(thread: Json) -> Remark | None:
    said = thread["comments"]["nodes"]
    comments = [comment for comment in said if comment and _has_a_say(comment, comment["pullRequestReview"])]
    if not comments:
        return None
    text = "\n\n".join(f"{_login(comment)}: {comment['body']}" for comment in comments)
    return Remark(
        key=f"{thread['id']}:{comments[-1]['id']}",
        author=_login(comments[-1]),
        text=text if len(comments) > 1 else comments[0]["body"],
        path=thread["path"],
        line=thread["line"] or thread["originalLine"],
        url=comments[-1]["url"],
    )


def _read_context(context: Json) -> tuple[int, Check]:
    if context["__typename"] == "StatusContext":
        state = CheckState.GREEN if context["state"] == "SUCCESS" else CheckState.RED
        if context["state"] in _PENDING_STATUSES:
            state = CheckState.PENDING
        return 0, Check(context["context"], state, context["isRequired"], context["targetUrl"] or "")
    state = CheckState.GREEN if context["conclusion"] in _GREEN else CheckState.RED
    # stale: GitHub gave up waiting for its end, which says nothing of the work
    if context["status"] != "COMPLETED" or context["conclusion"] in {None, "", "STALE"}:
        state = CheckState.PENDING
    number = context["databaseId"]
    key = f"{RUN_KEY}{number}" if number else ""
    return number or 0, Check(context["name"], state, context["isRequired"], context["detailsUrl"] or "", key)


def _origin(context: Json) -> tuple[str, ...]:
    """What makes two entries the same check, done again: so does GitHub's own command line program tell them apart."""
    if context["__typename"] == "StatusContext":
        return "status", context["context"]
    suite = context.get("checkSuite") or {}
    run = suite.get("workflowRun") or {}
    app, workflow = (suite.get("app") or {}).get("slug"), (run.get("workflow") or {}).get("name")
    return "run", context["name"], app or "", workflow or "", run.get("event") or ""


def _is_waiting(node: Json, checks: Iterable[Check]) -> bool:
    rollup = node.get("statusCheckRollup")
    if not rollup:
        return False
    return rollup["state"] in _WAITING_ROLLUPS or any(check.state is CheckState.PENDING for check in checks)


def _base_sha(node: Json) -> str:
    target = (node.get("baseRef") or {}).get("target") or {}
    return target.get("oid") or node["baseRefOid"] or ""


def _blocked_by(node: Json, snapshot: PullRequestSnapshot) -> str:
    """GitHub's refusal where nothing that it told us explains it."""
    if node["mergeStateStatus"] == "UNSTABLE" and not snapshot.checks and not snapshot.is_awaiting_checks:
        return "GitHub says that a check is not green, and shows none"
    if node["mergeStateStatus"] != "BLOCKED":
        return ""
    if snapshot.review in {ReviewState.REQUIRED, ReviewState.CHANGES_REQUESTED} or snapshot.is_draft:
        return ""
    if snapshot.is_awaiting_checks or any(check.state is not CheckState.GREEN for check in snapshot.checks):
        return ""
    if snapshot.has_queue:  # blocked it is for every way but the queue; that one says by itself what it lacks
        return ""
    return "the rules of its base branch: a required check that has not reported, or conversations to be resolved"


def _login(node: Json) -> str:
    """Who wrote it; accounts that were deleted are shown as ghost, as GitHub does."""
    return str((node.get("author") or {}).get("login") or "ghost")
