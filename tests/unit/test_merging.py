"""What to do about a pull request: one that may be merged, one change per test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parallel_workers.decisions.handing_over import choose_method
from parallel_workers.decisions.merge_decisions import (
    DisableAutoMerge,
    EnableAutoMerge,
    GiveUp,
    Merge,
    Merged,
    MergeRules,
    Rework,
    UpdateBranch,
    Wait,
)
from parallel_workers.decisions.merging import decide_merge, is_overdue
from parallel_workers.decisions.rework_memory import (
    remember,
    remember_lasting_auto_merge,
    remember_refused_auto_merge,
)
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, Mergeable, PullRequestSnapshot, ReviewState
from parallel_workers.pull_requests import PullRequestState
from parallel_workers.spec import MergeMethod, MergePolicy
from tests.unit.open_pull_requests import (
    GREEN,
    HEAD,
    MERGE,
    NOTHING,
    OPEN,
    PENDING,
    PENDING_OPTIONAL,
    READY,
    RED,
    RED_OPTIONAL,
    REMARK,
    decide,
    moved,
)

NOW = Merge(MergeMethod.MERGE, HEAD, "#7 may be merged into main")


def test_one_that_may_be_is_merged_at_the_head_that_was_judged() -> None:
    assert decide(READY) == NOW
    assert decide(READY, front=None) == NOW, "merging waits for no turn"
    assert decide(PullRequestSnapshot(OPEN)) == NOW, "without checks and reviews nothing stands in the way"


def test_with_policy_manual_a_person_is_waited_for() -> None:
    assert decide(READY, MergePolicy.MANUAL) == Wait("waits for a person to merge pull request #7")
    refused = READY._replace(blocked_by="an administrator locked it")
    assert decide(refused, MergePolicy.MANUAL) == Wait(
        "waits for a person to merge pull request #7 (an administrator locked it)"
    )


@pytest.mark.parametrize("policy", MergePolicy)
def test_a_merged_one_is_merged_whatever_else_is_said_of_it(policy: MergePolicy) -> None:
    merged = OPEN._replace(state=PullRequestState.MERGED, merge_sha=MERGE, labels=(NEEDS_HUMAN_LABEL,))
    everything = READY._replace(pull_request=merged, checks=(RED,), remarks=(REMARK,), mergeable=Mergeable.UNKNOWN)
    assert decide(everything, policy) == Merged(MERGE, "#7 is merged into main")
    unknown = everything._replace(pull_request=merged._replace(merge_sha=None))
    assert decide(unknown, policy) == Merged(None, "#7 is merged into main")


@pytest.mark.parametrize("policy", MergePolicy)
def test_a_closed_one_is_given_up(policy: MergePolicy) -> None:
    closed = OPEN._replace(state=PullRequestState.CLOSED)
    said = "pull request #7 was closed without being merged"
    assert decide(READY._replace(pull_request=closed, checks=(RED,)), policy) == GiveUp(said)
    why = closed._replace(reason="not wanted")
    assert decide(READY._replace(pull_request=why), policy) == GiveUp(f"{said}: not wanted")


@pytest.mark.parametrize("policy", MergePolicy)
@pytest.mark.parametrize("change", [{}, {"checks": (RED,)}, {"mergeable": Mergeable.CONFLICTING}, {"is_behind": True}])
def test_one_whose_base_was_changed_is_for_a_person(policy: MergePolicy, change: dict[str, object]) -> None:
    changed = READY._replace(pull_request=OPEN._replace(base_branch="develop"), **change)  # type: ignore[arg-type]
    said = "a person is needed: the base of #7 was changed from main to develop; "
    decision = decide_merge(changed, MergeRules(policy, base_branch="main"), NOTHING, 7)
    assert decision == Wait(said + "merge it, close it, or change the base back", needs_human=True)


def test_the_forge_is_not_left_to_merge_into_a_changed_base() -> None:
    changed = READY._replace(pull_request=OPEN._replace(base_branch="develop"), is_auto_merging=True)
    decision = decide_merge(changed, MergeRules(MergePolicy.AUTO, base_branch="main"), NOTHING, 7)
    assert isinstance(decision, DisableAutoMerge)
    assert decision.reason.endswith("by itself: its base was changed from main to develop")
    decision = decide_merge(changed, MergeRules(MergePolicy.MANUAL, base_branch="main"), NOTHING, 7)
    assert isinstance(decision, Wait), "there it was a person who let the forge merge"


@pytest.mark.parametrize("policy", MergePolicy)
def test_one_given_back_to_people_is_left_alone(policy: MergePolicy) -> None:
    labelled = OPEN._replace(labels=("bug", NEEDS_HUMAN_LABEL))
    decision = decide(READY._replace(pull_request=labelled, checks=(RED,)), policy)
    assert decision == Wait(
        "waits for a person: #7 is labelled parallel-workers:needs-human; "
        "merge it, or take the label off to let the worker go on"
    ), "neither merged nor worked on, nor asked for again"


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (READY._replace(is_queued=True), "#7 is in the merge queue"),
        (READY._replace(is_queued=True, checks=(RED,)), "#7 is in the merge queue"),
        (READY._replace(is_draft=True), "#7 is a draft: waits for a person to mark it ready for review"),
        (
            READY._replace(is_draft=True, mergeable=Mergeable.CONFLICTING),
            "#7 is a draft: waits for a person to mark it ready for review",
        ),
        (READY._replace(mergeable=Mergeable.UNKNOWN), "waits to hear whether #7 merges without conflict"),
        (
            READY._replace(mergeable=Mergeable.UNKNOWN, is_behind=True),
            "waits to hear whether #7 merges without conflict",
        ),
        (READY._replace(review=ReviewState.REQUIRED), "#7 waits for a review"),
        (
            READY._replace(review=ReviewState.CHANGES_REQUESTED),
            "waits for another review of #7: changes were requested",
        ),
        (READY._replace(checks=(GREEN, PENDING)), "#7 waits for checks: test"),
        (READY._replace(checks=(GREEN, PENDING_OPTIONAL)), "#7 waits for checks: lint"),
        (READY._replace(is_awaiting_checks=True), "#7 waits for checks that have not reported yet"),
        (READY._replace(checks=(PENDING,), is_behind=True), "#7 waits for checks: test"),
        (READY._replace(is_auto_merging=True), "#7 is merged by the forge as soon as it may be"),
        (READY._replace(blocked_by="its branch is locked"), "#7 may not be merged yet: its branch is locked"),
        (
            READY._replace(allowed_methods=()),
            "#7 may be merged, but the repository allows no way to: switch one on",
        ),
    ],
)
def test_what_is_waited_for(snapshot: PullRequestSnapshot, said: str) -> None:
    assert decide(snapshot) == Wait(said)


@pytest.mark.parametrize(
    "snapshot",
    [
        READY._replace(mergeable=Mergeable.UNKNOWN),
        READY._replace(is_behind=True),
        READY._replace(can_auto_merge=True),
    ],
)
def test_with_policy_manual_nothing_is_done_that_a_person_does_when_merging(snapshot: PullRequestSnapshot) -> None:
    assert decide(snapshot, MergePolicy.MANUAL) == Wait("waits for a person to merge pull request #7")


def test_with_policy_manual_it_is_said_that_a_person_let_the_forge_merge() -> None:
    decision = decide(READY._replace(is_auto_merging=True), MergePolicy.MANUAL)
    assert decision == Wait("#7 is merged by the forge as soon as it may be")


def test_only_the_one_whose_turn_it_is_is_brought_up_to_date() -> None:
    behind = READY._replace(is_behind=True)
    assert decide(behind) == UpdateBranch(HEAD, "#7 is behind main")
    assert decide(behind._replace(is_auto_merging=True)) == UpdateBranch(HEAD, "#7 is behind main")
    assert decide(behind, front=3) == Wait("#7 waits for its turn behind #3")
    assert decide(behind, front=None) == Wait("#7 waits for its turn")


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (READY._replace(checks=(PENDING,)), "#7 waits for checks: test"),
        (READY._replace(checks=(GREEN, PENDING), is_awaiting_checks=True), "#7 waits for checks: test"),
        (READY._replace(review=ReviewState.REQUIRED), "#7 waits for a review"),
        (READY._replace(checks=(PENDING,), review=ReviewState.REQUIRED), "#7 waits for a review"),
    ],
)
def test_what_may_not_be_merged_yet_is_handed_over_where_the_forge_offers_to(
    why: PullRequestSnapshot, said: str
) -> None:
    offered = why._replace(can_auto_merge=True)
    assert decide(offered) == EnableAutoMerge(MergeMethod.MERGE, HEAD, f"{said}; then the forge merges it")
    assert isinstance(decide(offered._replace(is_auto_merging=True)), Wait), "once is enough"
    assert isinstance(decide(offered, MergePolicy.MANUAL), Wait)
    assert decide(offered._replace(is_draft=True)) != decide(offered)


@pytest.mark.parametrize(
    "unknown",
    [
        READY._replace(checks=(PENDING, PENDING_OPTIONAL)),
        READY._replace(checks=(), is_awaiting_checks=True),
        READY._replace(checks=(GREEN,), is_awaiting_checks=True),
        READY._replace(checks=(), review=ReviewState.REQUIRED),
        READY._replace(checks=(PENDING_OPTIONAL,), review=ReviewState.REQUIRED),
        READY._replace(is_awaiting_checks=True, review=ReviewState.REQUIRED),
        READY._replace(blocked_by="the credentials may not read checks"),
        READY._replace(blocked_by="the credentials may not read checks", review=ReviewState.REQUIRED),
        READY._replace(mergeable=Mergeable.CONFLICTING, review=ReviewState.REQUIRED),
        READY._replace(is_behind=True, review=ReviewState.REQUIRED),
    ],
)
def test_what_the_forge_would_not_wait_for_is_not_handed_over(unknown: PullRequestSnapshot) -> None:
    assert isinstance(decide(unknown._replace(can_auto_merge=True), front=3), Wait)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (READY._replace(checks=(RED,)), "a check is red"),
        (READY._replace(checks=(PENDING, RED_OPTIONAL)), "a check is red"),
        (READY._replace(review=ReviewState.CHANGES_REQUESTED), "changes are requested"),
        (READY._replace(remarks=(REMARK,)), "there are remarks to answer"),
        (READY._replace(mergeable=Mergeable.CONFLICTING), "it is in conflict with its base"),
    ],
)
def test_the_forge_is_stopped_before_anything_is_done_about_what_turned_up(
    wrong: PullRequestSnapshot, why: str
) -> None:
    merging = wrong._replace(is_auto_merging=True, can_auto_merge=True)
    assert decide(merging) == DisableAutoMerge(f"the forge must not merge #7 by itself: {why}")
    assert decide(merging, front=3) == decide(merging), "it waits for no turn"
    stopped = decide(merging._replace(is_auto_merging=False))
    assert isinstance(stopped, Rework | Wait), "and then it is worked on"
    assert not isinstance(decide(merging, MergePolicy.MANUAL), DisableAutoMerge), "a person let it"
    lasting = remember_lasting_auto_merge(NOTHING, HEAD)
    assert decide(merging, memory=lasting) == stopped, "the forge does not stop: work goes on all the same"
    assert isinstance(decide(moved(merging), memory=lasting), DisableAutoMerge)


def test_remarks_that_a_push_answered_do_not_stop_the_forge() -> None:
    remarked = READY._replace(remarks=(REMARK,), is_auto_merging=True)
    rework = decide(remarked._replace(is_auto_merging=False))
    assert isinstance(rework, Rework)
    answered = remember(NOTHING, rework, HEAD)
    assert isinstance(decide(remarked, memory=answered), DisableAutoMerge), "nothing was pushed yet"
    assert isinstance(decide(moved(remarked), memory=answered), Wait)


def test_what_may_be_merged_is_not_handed_over() -> None:
    assert decide(READY._replace(can_auto_merge=True)) == NOW


def test_the_forge_is_not_let_to_merge_over_a_check_that_may_turn_red() -> None:
    decision = decide(READY._replace(can_auto_merge=True, checks=(PENDING, PENDING_OPTIONAL)))
    assert decision == Wait("#7 waits for checks: test, lint")


def test_a_refusal_to_merge_by_itself_holds_for_that_head() -> None:
    offered = READY._replace(can_auto_merge=True, checks=(PENDING,))
    memory = remember_refused_auto_merge(NOTHING, HEAD)
    assert decide(offered, memory=memory) == Wait("#7 waits for checks: test")
    assert isinstance(decide(moved(offered), memory=memory), EnableAutoMerge)
    assert decide(READY._replace(can_auto_merge=True), memory=memory) == NOW


def test_the_nearest_way_to_merge_that_is_allowed_is_taken() -> None:
    only_squash = READY._replace(allowed_methods=(MergeMethod.SQUASH,))
    assert decide(only_squash) == Merge(
        MergeMethod.SQUASH,
        HEAD,
        "#7 may be merged into main by squash, since the repository does not allow merge",
    )
    rules = MergeRules(MergePolicy.AUTO, MergeMethod.REBASE)
    as_asked = decide_merge(READY, rules, NOTHING, 7)
    assert as_asked == Merge(MergeMethod.REBASE, HEAD, "#7 may be merged into main")


@pytest.mark.parametrize(
    ("asked", "allowed", "chosen"),
    [
        (MergeMethod.MERGE, (MergeMethod.REBASE, MergeMethod.SQUASH), MergeMethod.SQUASH),
        (MergeMethod.MERGE, (MergeMethod.REBASE,), MergeMethod.REBASE),
        (MergeMethod.SQUASH, (MergeMethod.MERGE, MergeMethod.REBASE), MergeMethod.REBASE),
        (MergeMethod.REBASE, (MergeMethod.MERGE, MergeMethod.SQUASH), MergeMethod.SQUASH),
        (MergeMethod.REBASE, (), None),
    ],
)
def test_which_way_is_nearest(asked: MergeMethod, allowed: tuple[MergeMethod, ...], chosen: MergeMethod | None) -> None:
    assert choose_method(asked, allowed) == chosen


def test_one_is_overdue_only_after_the_time_for_its_review() -> None:
    opened = OPEN._replace(created_at="2026-01-02T12:00:00Z")
    due = datetime(2026, 1, 2, 12, 1, tzinfo=UTC)
    assert not is_overdue(opened, 60, due)
    assert is_overdue(opened, 60, due + timedelta(seconds=1))
