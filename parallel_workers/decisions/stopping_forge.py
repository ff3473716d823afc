"""When the forge must not go on to merge by itself: it waits for required checks and reviews, and for nothing else."""

from __future__ import annotations

from parallel_workers.decisions.merge_decisions import DisableAutoMerge, MergeDecision, Situation
from parallel_workers.decisions.rework_memory import find_fresh, is_auto_merge_lasting, is_unanswered
from parallel_workers.pull_request_snapshots import CheckState, Mergeable, PullRequestSnapshot, ReviewState
from parallel_workers.spec import MergePolicy


def stop_forge(situation: Situation) -> MergeDecision | None:
    """Something is wrong with what the forge merges as soon as it may: a push, or nothing, could make it do so.

    Under `manual` it was a person who let the forge merge, and it is left to people.
    """
    snapshot = situation.snapshot
    if (
        situation.rules.policy is not MergePolicy.AUTO
        or not snapshot.is_auto_merging
        or is_auto_merge_lasting(situation.head_sha, situation.memory)
    ):
        return None
    wrong = _what_is_changed(situation) or _what_is_wrong(snapshot) or _what_is_said(situation)
    return DisableAutoMerge(f"the forge must not merge {situation.name} by itself: {wrong}") if wrong else None


def _what_is_changed(situation: Situation) -> str:
    moved_to = situation.moved_to
    return f"its base was changed from {situation.rules.base_branch} to {moved_to}" if moved_to else ""


def _what_is_wrong(snapshot: PullRequestSnapshot) -> str:
    if any(check.state is CheckState.RED for check in snapshot.checks):
        return "a check is red"
    if snapshot.review is ReviewState.CHANGES_REQUESTED:
        return "changes are requested"
    return "it is in conflict with its base" if snapshot.mergeable is Mergeable.CONFLICTING else ""


def _what_is_said(situation: Situation) -> str:
    """Remarks that were answered with a push stand in the way of nothing."""
    remarks = situation.snapshot.remarks
    is_open = find_fresh(remarks, situation.memory) or is_unanswered(situation.head_sha, situation.memory)
    return "there are remarks to answer" if remarks and is_open else ""
