"""What to do about a pull request now, as a list of rules: the first that answers wins.

docs/merging.md shows them in order, each with what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from parallel_workers.decisions.handing_over import hand_over_or_wait, merge_now, wait_longer, was_let_go
from parallel_workers.decisions.merge_decisions import (
    GiveUp,
    Merged,
    MergeDecision,
    MergeRules,
    ReworkMemory,
    Situation,
    UpdateBranch,
    Wait,
)
from parallel_workers.decisions.refusals import NotYet, refused_updates
from parallel_workers.decisions.reworking import (
    changes_still_requested,
    conflict_to_settle,
    name_checks,
    red_checks_to_mend,
    remarks_to_answer,
    remarks_unanswered,
    still_red,
    waits_for_its_turn,
)
from parallel_workers.decisions.stopping_forge import stop_forge
from parallel_workers.decisions.stuck import is_stuck
from parallel_workers.markdown import one_line
from parallel_workers.pull_request_snapshots import (
    NEEDS_HUMAN_LABEL,
    CheckState,
    Mergeable,
    PullRequestSnapshot,
    ReviewState,
)
from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.spec import MergePolicy

_Rule = Callable[[Situation], MergeDecision | None]


def decide_merge(
    snapshot: PullRequestSnapshot,
    rules: MergeRules,
    memory: ReworkMemory,
    front: int | None,
    now: datetime | None = None,
) -> MergeDecision:
    """What to do about the pull request of `snapshot`. `front` is what `decide_front` says for its base.

    With `now` (aware) a person is asked when the forge refuses for long without a word that could be worked on.

    In order: merged already; closed without being merged; given back to people; it has another base than was ordered;
    in the forge's merge queue; the forge is to merge by itself what it should not (`auto`); red checks and then
    remarks to work on; red checks, a request for changes and remarks that were worked on; a draft; a conflict;
    the forge let go what it was to merge (`auto`); whether it is mergeable is not known yet (`auto`); a review is
    required; checks are running; behind its base (`auto`); the forge merges by itself; a person is to merge it
    (`manual`); the forge refuses; else merge it.
    """
    situation = Situation(snapshot, rules, memory, front, now)
    answers = (rule(situation) for rule in _RULES)
    decision = next((answer for answer in answers if answer is not None), None) or merge_now(situation)
    # Names of checks and branches and what a person wrote are in it; a state, a table and a log show one line.
    return decision._replace(reason=one_line(decision.reason))


def is_overdue(pull_request: PullRequest, review_timeout: float, now: datetime) -> bool:
    """Whether it has been open for longer than `review_timeout` seconds at `now` (aware)."""
    return now - datetime.fromisoformat(pull_request.created_at) > timedelta(seconds=review_timeout)


def _is_merged(situation: Situation) -> MergeDecision | None:
    pull_request = situation.snapshot.pull_request
    if pull_request.state is not PullRequestState.MERGED:
        return None
    return Merged(pull_request.merge_sha, f"{situation.name} is merged into {pull_request.base_branch}")


def _is_closed(situation: Situation) -> MergeDecision | None:
    pull_request = situation.snapshot.pull_request
    if pull_request.state is not PullRequestState.CLOSED:
        return None
    why = f": {pull_request.reason}" if pull_request.reason.strip() else ""
    return GiveUp(f"pull request {situation.name} was closed without being merged{why}")


def _is_given_back(situation: Situation) -> MergeDecision | None:
    if NEEDS_HUMAN_LABEL not in situation.snapshot.pull_request.labels:
        return None
    return Wait(
        f"waits for a person: {situation.name} is labelled {NEEDS_HUMAN_LABEL}; "
        "merge it, or take the label off to let the worker go on"
    )


def _is_retargeted(situation: Situation) -> MergeDecision | None:
    """Somebody changed its base: neither merged there nor taken back, nor worked on against the wrong base."""
    if not situation.moved_to:
        return None
    if (stopped := stop_forge(situation)) is not None:
        return stopped
    return Wait(
        f"a person is needed: the base of {situation.name} was changed from {situation.rules.base_branch} to "
        f"{situation.moved_to}; merge it, close it, or change the base back",
        needs_human=True,
    )


def _is_queued(situation: Situation) -> MergeDecision | None:
    return Wait(f"{situation.name} is in the merge queue") if situation.snapshot.is_queued else None


def _is_draft(situation: Situation) -> MergeDecision | None:
    if not situation.snapshot.is_draft:
        return None
    return Wait(f"{situation.name} is a draft: waits for a person to mark it ready for review")


def _is_mergeability_unknown(situation: Situation) -> MergeDecision | None:
    """Asked only where we would merge: a person sees it on the page, and it is unknown again after every merge."""
    if situation.rules.policy is not MergePolicy.AUTO or situation.snapshot.mergeable is not Mergeable.UNKNOWN:
        return None
    return Wait(f"waits to hear whether {situation.name} merges without conflict")


def _lacks_review(situation: Situation) -> MergeDecision | None:
    if situation.snapshot.review is not ReviewState.REQUIRED:
        return None
    return hand_over_or_wait(situation, f"{situation.name} waits for a review")


def _awaits_checks(situation: Situation) -> MergeDecision | None:
    snapshot = situation.snapshot
    running = tuple(check for check in snapshot.checks if check.state is CheckState.PENDING)
    if not running and not snapshot.is_awaiting_checks:
        return None
    which = f": {name_checks(running)}" if running else " that have not reported yet"
    return hand_over_or_wait(situation, f"{situation.name} waits for checks{which}")


def _is_behind(situation: Situation) -> MergeDecision | None:
    """After the rule for running checks: an update restarts them, and a busy base would never let them end."""
    snapshot = situation.snapshot
    if situation.rules.policy is not MergePolicy.AUTO or not snapshot.is_behind:
        return None
    if not situation.is_front:
        return waits_for_its_turn(situation)
    refusals, base = refused_updates(situation.head_sha, situation.memory), snapshot.pull_request.base_branch
    if refusals.are_enough:
        why = f"the forge refuses to bring {situation.name} up to date with {base}: {refusals.words}"
        return Wait(f"a person is needed: {why}", needs_human=True)
    if (waits := wait_longer(situation, NotYet.UPDATE, f"{situation.name} is still behind {base}")) is not None:
        return waits
    return UpdateBranch(situation.head_sha, f"{situation.name} is behind {base}")


def _merges_by_itself(situation: Situation) -> MergeDecision | None:
    if not situation.snapshot.is_auto_merging:
        return None
    return Wait(f"{situation.name} is merged by the forge as soon as it may be")


def _is_for_a_person(situation: Situation) -> MergeDecision | None:
    if situation.rules.policy is not MergePolicy.MANUAL:
        return None
    refusal = f" ({situation.snapshot.blocked_by})" if situation.snapshot.blocked_by else ""
    return Wait(f"waits for a person to merge pull request {situation.name}{refusal}")


def _is_refused(situation: Situation) -> MergeDecision | None:
    """For long: a person is asked, but not while remarks stand, since a worker is to answer to more of them."""
    snapshot = situation.snapshot
    if not snapshot.blocked_by:
        return None
    why = f"{situation.name} may not be merged yet: {snapshot.blocked_by}"
    if is_stuck(snapshot, situation.now) and not snapshot.remarks:
        return Wait(f"a person is needed: {why}", needs_human=True)
    return Wait(why)


_RULES: tuple[_Rule, ...] = (
    _is_merged,
    _is_closed,
    _is_given_back,
    _is_retargeted,
    _is_queued,
    stop_forge,
    red_checks_to_mend,
    remarks_to_answer,
    still_red,
    changes_still_requested,
    remarks_unanswered,
    _is_draft,
    conflict_to_settle,
    was_let_go,
    _is_mergeability_unknown,
    _lacks_review,
    _awaits_checks,
    _is_behind,
    _merges_by_itself,
    _is_for_a_person,
    _is_refused,
)
