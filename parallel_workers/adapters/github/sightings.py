"""What is known of each pull request, from which answer, and when it is to be looked at again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from parallel_workers.adapters.github.api import RepositoryFacts
from parallel_workers.adapters.github.pace import WatchPace
from parallel_workers.adapters.github.pulls import as_pull_request
from parallel_workers.adapters.github.queries import BRIEF_CHUNK
from parallel_workers.adapters.github.snapshots import as_snapshot, bare_snapshot
from parallel_workers.pull_request_snapshots import PullRequestSnapshot
from parallel_workers.pull_requests import PullRequest, PullRequestState

Json = dict[str, Any]

_RUNNING_ROLLUPS = {"PENDING", "EXPECTED"}
_SAME_SECOND = 2.0
_RED_ROLLUPS = {"FAILURE", "ERROR"}
FAILURES_UNTIL_ALONE = BRIEF_CHUNK.bit_length()
"""Halved so often, a chunk of either kind is one pull request."""
_DETAILED_ROLLUPS = _RED_ROLLUPS | _RUNNING_ROLLUPS


@dataclass
class Sighting:
    """One pull request. `brief` and `full` are GraphQL nodes; times are seconds since the epoch."""

    pull_request: PullRequest
    node_id: str
    head_seen_at: float
    brief: Json = field(default_factory=dict)
    brief_at: float = 0.0
    full: Json = field(default_factory=dict)
    full_for: tuple[Any, ...] = ()
    full_at: float = 0.0
    is_full_early: bool = False
    """The full answer is of the second of the last change: another change in that second would not be told."""
    unreadable: frozenset[str] = frozenset()
    """What of it the credentials may not read, as `unreadable` names it."""
    failures: int = 0
    """Queries in a row that failed with it among others: it may be why, and what is known of it may be old.

    The more there were, the fewer are asked about together with it: it shall not spoil the answers about others.
    """
    full_due_at: float = 0.0
    due_at: float = 0.0
    pause: float = 0.0
    mergeable_due_at: float = 0.0
    mergeable_pause: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is anything left to watch."""
        return self.pull_request.state is PullRequestState.OPEN

    @property
    def is_mergeability_unknown(self) -> bool:
        """Open, and GitHub has not found out yet whether it can be merged."""
        return self.is_open and bool(self.brief) and self.brief["mergeable"] == "UNKNOWN"

    @property
    def thread_count(self) -> int:
        """How many conversations it has, resolved ones too."""
        return int(self.brief["reviewThreads"]["totalCount"]) if self.brief else 0

    @property
    def is_half_red(self) -> bool:
        """Its checks are red, and which ones only a full answer tells that was not given yet."""
        is_red = self.is_open and bool(self.brief) and _rollup(self.brief) in _RED_ROLLUPS
        return is_red and self.full_for != _key(self.brief)

    @property
    def _is_at_odds(self) -> bool:
        """Checks moved between the brief answer and the full one: which ones are red or running nobody has told."""
        rollup = _rollup(self.brief)
        return bool(self.full) and rollup in _DETAILED_ROLLUPS and _rollup(self.full) != rollup

    def needs_full(self, now: float) -> bool:
        """Whether the brief answer leaves something open that only a full one tells."""
        if not self.brief or not self.is_open:
            return False
        rollup = _rollup(self.brief)
        if rollup not in _DETAILED_ROLLUPS and not _unresolved(self.brief) and not self.brief["reviews"]["totalCount"]:
            return False
        may_have_moved = rollup in _DETAILED_ROLLUPS or self.is_full_early
        return self.full_for != _key(self.brief) or (may_have_moved and self.due_at <= now)

    @property
    def full_rank(self) -> tuple[bool, bool, float]:
        """Whose full answer is asked for first: red ones, then changed ones, then who waited longest."""
        return _rollup(self.brief) not in _RED_ROLLUPS, self.full_for == _key(self.brief), self.full_at

    def take_pull(self, pull: Json, now: float) -> bool:
        """Take in a REST answer; whether it moved. One older than what is known is left aside, merged stays merged."""
        seen = as_pull_request(pull)
        known = self.pull_request
        if seen.updated_at < known.updated_at or (
            known.state is PullRequestState.MERGED and seen.state is not PullRequestState.MERGED
        ):
            return False
        self.pull_request = seen
        if seen.head_sha != known.head_sha:
            self.head_seen_at = now
        self._take_mergeability(pull)
        moved = seen != known
        if moved:
            self.due_at, self.pause = now, 0.0
        return moved

    def take_brief(self, node: Json, now: float, pace: WatchPace) -> None:
        """Take in a brief answer, and choose when to ask again: later and later while nothing changes."""
        changed = not self.brief or _watched(node) != _watched(self.brief)
        self.brief, self.brief_at = node, now
        most = pace.checks_max_seconds if _rollup(node) in _RUNNING_ROLLUPS else pace.detail_max_seconds
        self.pause = pace.detail_seconds if changed or not self.pause else min(self.pause * 2, most)
        self.due_at = now + self.pause
        if node["mergeable"] == "UNKNOWN" and changed:
            self.mergeable_due_at, self.mergeable_pause = now, 0.0

    def take_full(self, node: Json, now: float) -> None:
        """Take in a full answer. It belongs to the brief one that asked for it."""
        self.full, self.full_for, self.full_at = node, _key(self.brief), now
        self.is_full_early = now - datetime.fromisoformat(node["updatedAt"]).timestamp() < _SAME_SECOND

    def put_off(self, now: float, pace: WatchPace) -> None:
        """Even alone it was too much for GitHub: ask again after a growing pause, and alone."""
        self.failures = max(self.failures, FAILURES_UNTIL_ALONE)
        self.pause = min(max(pace.detail_seconds, self.pause * 2), pace.detail_max_seconds)
        self.due_at = self.full_due_at = now + self.pause

    def note_mergeability_asked(self, now: float, pace: WatchPace) -> None:
        """It was read, which starts GitHub's job; look again after a growing pause."""
        self.mergeable_pause = min(max(pace.mergeable_seconds, self.mergeable_pause * 2), pace.mergeable_max_seconds)
        self.mergeable_due_at = now + self.mergeable_pause
        if self.is_mergeability_unknown:
            self.due_at = min(self.due_at, self.mergeable_due_at)

    def snapshot(self, facts: RepositoryFacts, now: float, pace: WatchPace) -> PullRequestSnapshot:
        """All that is known now."""
        if not self.is_open:
            return PullRequestSnapshot(self.pull_request)
        if not self.brief:
            return bare_snapshot(self.pull_request, facts)
        # the newer brief answer stands over the full one, but for what only the full one tells
        told_in_full = self.full_for == _key(self.brief) or self.full.get("headRefOid") == self.brief["headRefOid"]
        node = _laid_over(self.full, self.brief) if self.full and told_in_full else self.brief
        snapshot = as_snapshot(self.pull_request, node, facts, self.unreadable)
        is_stale = self.needs_full(now) and self.full_for != _key(self.brief)
        if is_stale or self.failures or self._is_at_odds or self._may_get_checks(now, pace):
            return snapshot._replace(is_awaiting_checks=True)
        return snapshot

    def settles_at(self, pace: WatchPace) -> float:
        """From when on a head without checks counts as one that gets none."""
        has_ci = bool(((self.brief.get("baseRef") or {}).get("target") or {}).get("statusCheckRollup"))
        return self.head_seen_at + (pace.settle_with_ci_seconds if has_ci else pace.settle_seconds)

    def _may_get_checks(self, now: float, pace: WatchPace) -> bool:
        if _rollup(self.brief):
            return False
        settled = self.settles_at(pace)
        return now < settled or self.brief_at < settled

    def _take_mergeability(self, pull: Json) -> None:
        """A whole object says more than an item of a list."""
        if not self.brief or pull.get("mergeable") is None or self.brief["headRefOid"] != pull["head"]["sha"]:
            return
        word = "MERGEABLE" if pull["mergeable"] else "CONFLICTING"
        self.brief |= {"mergeable": word, "mergeStateStatus": str(pull["mergeable_state"]).upper()}


def new_sighting(pull: Json, now: float) -> Sighting:
    """A pull request met for the first time. Its head is as old as the last thing that happened to it, at least."""
    updated_at = datetime.fromisoformat(pull["updated_at"]).timestamp()
    return Sighting(as_pull_request(pull), pull["node_id"], min(now, updated_at), due_at=now)


def _laid_over(full: Json, brief: Json) -> Json:
    """The brief answer with what only the full one tells, as far as the newer brief one does not deny it."""
    resolved = {thread["id"] for thread in brief["reviewThreads"]["nodes"] if thread["isResolved"]}
    threads = [
        thread | {"isResolved": True} if thread["id"] in resolved else thread
        for thread in full["reviewThreads"]["nodes"]
    ]
    told = {"reviews": full["reviews"], "reviewThreads": brief["reviewThreads"] | {"nodes": threads}}
    if _rollup(full) == _rollup(brief):
        told["statusCheckRollup"] = full["statusCheckRollup"]
    return {**brief, **told}


def _rollup(node: Json) -> str:
    return (node.get("statusCheckRollup") or {}).get("state") or ""


def _unresolved(node: Json) -> tuple[str, ...]:
    return tuple(thread["id"] for thread in node["reviewThreads"]["nodes"] if not thread["isResolved"])


def _key(node: Json) -> tuple[Any, ...]:
    """What a full answer is good for."""
    return (
        node["headRefOid"],
        node["updatedAt"],
        _rollup(node),
        _unresolved(node),
        node["reviews"]["totalCount"],
        node["reviewDecision"],
    )


def _watched(node: Json) -> tuple[Any, ...]:
    """What counts as a change of a brief answer."""
    flags = ("state", "isDraft", "mergeable", "mergeStateStatus", "isInMergeQueue", "autoMergeRequest")
    return (*_key(node), *(node[flag] for flag in flags))
