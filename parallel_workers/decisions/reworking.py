"""What sends a worker back to work: red checks, remarks of reviewers, a conflict. Rules for `merging`.

Each reason is worked on once. Checks and remarks share `rework_rounds` rounds; conflicts have as many of their own, so
that a base that moves all the time leaves the rounds for what reviewers and checks say. When they are used up, a person
is asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from parallel_workers.decisions.merge_decisions import MergeDecision, Rework, ReworkKind, Situation, Wait
from parallel_workers.decisions.rework_memory import (
    checks_fingerprint,
    conflict_fingerprint,
    count_conflicts,
    find_fresh,
    is_unanswered,
    is_unchanged,
    review_fingerprint,
)
from parallel_workers.pull_request_snapshots import Check, CheckState, Mergeable, ReviewState
from parallel_workers.spec import MergePolicy

_SHOWN_NAMES = 5


def red_checks_to_mend(situation: Situation) -> MergeDecision | None:
    """Red checks, required or not, as soon as one is red: those that still run may never end."""
    red = _in_state(situation, CheckState.RED)
    fingerprint = checks_fingerprint(situation.head_sha, red)
    if not red or fingerprint in situation.memory.handled:
        return None
    what = f"red checks on {situation.name}: {name_checks(red)}"
    return _ask_when_used_up(situation, Rework(ReworkKind.CHECKS, fingerprint, what, checks=red))


def remarks_to_answer(situation: Situation) -> MergeDecision | None:
    """Remarks of people and bots that were not worked on yet, whether or not changes were requested formally."""
    fresh = find_fresh(situation.snapshot.remarks, situation.memory)
    fingerprint = review_fingerprint(fresh)
    if not fresh or fingerprint in situation.memory.handled:
        return None
    authors = _listed(dict.fromkeys(remark.author or "a reviewer" for remark in fresh))
    what = f"{_count(len(fresh), 'remark')} on {situation.name} by {authors}"
    return _ask_when_used_up(situation, Rework(ReworkKind.REVIEW, fingerprint, what, remarks=fresh))


def conflict_to_settle(situation: Situation) -> MergeDecision | None:
    """A conflict with the base; under `auto` only of the one whose turn it is, since each merge makes new ones.

    One that was worked on while the head stayed what it is would keep the turn from all others: a person is asked.
    """
    snapshot = situation.snapshot
    if snapshot.mergeable is not Mergeable.CONFLICTING:
        return None
    if situation.rules.policy is MergePolicy.AUTO and not situation.is_front:
        return None if snapshot.review is ReviewState.REQUIRED else waits_for_its_turn(situation)
    base, fingerprint = snapshot.pull_request.base_branch, conflict_fingerprint(situation.head_sha)
    if fingerprint in situation.memory.handled:
        why = f"the conflict of {situation.name} with {base} was worked on and is not settled"
        return Wait(f"a person is needed: {why}", needs_human=True)
    what = f"{situation.name} is in conflict with {base}"
    return _ask_when_used_up(situation, Rework(ReworkKind.CONFLICT, fingerprint, what))


def still_red(situation: Situation) -> MergeDecision | None:
    """Red checks that were worked on are never merged over. Where nothing was changed for them a person is asked."""
    red = _in_state(situation, CheckState.RED)
    if not red:
        return None
    branch, checks = situation.snapshot.pull_request.head_branch, f"the red checks of {situation.name}"
    worked_on, way_out = f"{checks} ({name_checks(red)}) were worked on", f"run them again or push to {branch}"
    if is_unchanged(situation.head_sha, situation.memory):
        return Wait(f"a person is needed: {worked_on} and nothing was changed; {way_out}", needs_human=True)
    return Wait(f"waits for new results: {worked_on}; {way_out}")


def changes_still_requested(situation: Situation) -> MergeDecision | None:
    """Changes are requested, and everything said was worked on."""
    if situation.snapshot.review is not ReviewState.CHANGES_REQUESTED:
        return None
    return Wait(f"waits for another review of {situation.name}: changes were requested")


def remarks_unanswered(situation: Situation) -> MergeDecision | None:
    """Remarks that were worked on while nothing was pushed; a person is asked once the rework has ended.

    Once something was, they no longer stand in the way, resolved or not: bots seldom resolve theirs. A repository that
    wants every conversation resolved has a branch rule for it, which the snapshot tells as `blocked_by`.
    """
    if not situation.snapshot.remarks or not is_unanswered(situation.head_sha, situation.memory):
        return None
    remarks, branch = f"the remarks on {situation.name}", situation.snapshot.pull_request.head_branch
    if is_unchanged(situation.head_sha, situation.memory):
        why = f"{remarks} were worked on and nothing was changed; resolve them or push to {branch}"
        return Wait(f"a person is needed: {why}", needs_human=True)
    return Wait(f"waits for an answer to {remarks}: nothing was changed for them yet")


def waits_for_its_turn(situation: Situation) -> Wait:
    """Of all that have to be brought up to date with one base, only one is at a time."""
    behind = f" behind #{situation.front}" if situation.front is not None else ""
    return Wait(f"{situation.name} waits for its turn{behind}")


def name_checks(checks: Iterable[Check]) -> str:
    """Their names, each once, not more than a few."""
    return _listed(dict.fromkeys(check.name for check in checks))


def _in_state(situation: Situation, state: CheckState) -> tuple[Check, ...]:
    return tuple(check for check in situation.snapshot.checks if check.state is state)


def _ask_when_used_up(situation: Situation, rework: Rework) -> Rework | Wait:
    used, allowed = situation.memory.rounds, situation.rules.rework_rounds
    if rework.kind is ReworkKind.CONFLICT:
        used = count_conflicts(situation.memory)
    if used < allowed:
        return rework
    tried = f" after {_count(used, 'round')} of rework" if used else ""
    return Wait(f"a person is needed{tried}: {rework.reason}", needs_human=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN_NAMES} more" if len(every) > _SHOWN_NAMES else ""
    return ", ".join(every[:_SHOWN_NAMES]) + more
