"""What sends a worker back to work, once per reason, and when a person is asked instead."""

from __future__ import annotations

import pytest

from parallel_workers.decisions.merge_decisions import Merge, Rework, ReworkKind, ReworkMemory, Wait
from parallel_workers.decisions.rework_memory import heed_label, remember, remember_unchanged
from parallel_workers.pull_request_snapshots import (
    NEEDS_HUMAN_LABEL,
    Mergeable,
    PullRequestSnapshot,
    Remark,
    ReviewState,
)
from parallel_workers.spec import MergePolicy
from tests.unit.open_pull_requests import (
    GREEN,
    NOTHING,
    PENDING,
    READY,
    RED,
    RED_OPTIONAL,
    REMARK,
    decide,
    moved,
)

CONFLICT = READY._replace(mergeable=Mergeable.CONFLICTING)
REQUESTED = READY._replace(review=ReviewState.CHANGES_REQUESTED, remarks=(REMARK,))


def rework(snapshot: PullRequestSnapshot, memory: ReworkMemory = NOTHING) -> Rework:
    decision = decide(snapshot, memory=memory)
    assert isinstance(decision, Rework)
    return decision


def after(snapshot: PullRequestSnapshot, memory: ReworkMemory = NOTHING) -> ReworkMemory:
    """The memory once what the snapshot shows was worked on."""
    return remember(memory, rework(snapshot, memory), snapshot.pull_request.head_sha)


@pytest.mark.parametrize("policy", MergePolicy)
@pytest.mark.parametrize(
    ("snapshot", "kind", "said"),
    [
        (READY._replace(checks=(GREEN, RED)), ReworkKind.CHECKS, "red checks on #7: test"),
        (READY._replace(checks=(GREEN, RED_OPTIONAL)), ReworkKind.CHECKS, "red checks on #7: lint"),
        (READY._replace(checks=(RED, RED_OPTIONAL)), ReworkKind.CHECKS, "red checks on #7: test, lint"),
        (READY._replace(checks=(RED_OPTIONAL, PENDING)), ReworkKind.CHECKS, "red checks on #7: lint"),
        (READY._replace(checks=(RED,), is_draft=True), ReworkKind.CHECKS, "red checks on #7: test"),
        (READY._replace(checks=(RED,), mergeable=Mergeable.UNKNOWN), ReworkKind.CHECKS, "red checks on #7: test"),
        (CONFLICT._replace(checks=(RED,), remarks=(REMARK,)), ReworkKind.CHECKS, "red checks on #7: test"),
        (REQUESTED, ReworkKind.REVIEW, "1 remark on #7 by ada"),
        (READY._replace(remarks=(REMARK,)), ReworkKind.REVIEW, "1 remark on #7 by ada"),
        (CONFLICT._replace(remarks=(REMARK,)), ReworkKind.REVIEW, "1 remark on #7 by ada"),
        (CONFLICT, ReworkKind.CONFLICT, "#7 is in conflict with main"),
    ],
)
def test_what_is_worked_on(snapshot: PullRequestSnapshot, kind: ReworkKind, said: str, policy: MergePolicy) -> None:
    decision = decide(snapshot, policy)
    assert isinstance(decision, Rework)
    assert (decision.kind, decision.reason) == (kind, said)
    red = tuple(check for check in snapshot.checks if check in (RED, RED_OPTIONAL))
    assert decision.checks == (red if kind is ReworkKind.CHECKS else ())
    assert decision.remarks == (snapshot.remarks if kind is ReworkKind.REVIEW else ())


def test_red_checks_are_worked_on_once_per_head_and_never_merged_over() -> None:
    for red in (RED, RED_OPTIONAL):
        snapshot = READY._replace(checks=(GREEN, red))
        memory = after(snapshot)
        assert decide(snapshot, memory=memory) == Wait(
            f"waits for new results: the red checks of #7 ({red.name}) were worked on; "
            "run them again or push to feature/t"
        )
        assert isinstance(decide(moved(snapshot), memory=memory), Rework)
        assert isinstance(decide(moved(READY), memory=memory), Merge)


def test_a_check_that_turns_red_later_is_news_and_the_order_of_checks_is_not() -> None:
    memory = after(READY._replace(checks=(RED,)))
    both = READY._replace(checks=(RED, RED_OPTIONAL))
    assert rework(both, memory).checks == (RED, RED_OPTIONAL)
    swapped = both._replace(checks=(RED_OPTIONAL, RED))
    assert isinstance(decide(swapped, memory=after(both, memory)), Wait)


def test_remarks_are_worked_on_each_once_and_an_answered_thread_is_a_new_one() -> None:
    other = REMARK._replace(key="thread-2/comment-1", author="a-bot[bot]")
    both = READY._replace(remarks=(REMARK, other))
    assert rework(both).reason == "2 remarks on #7 by ada, a-bot[bot]"
    memory = after(both)
    assert isinstance(decide(moved(both), memory=memory), Merge), "worked on and pushed: no longer in the way"
    one_resolved = moved(both._replace(remarks=(other,)))
    assert isinstance(decide(one_resolved, memory=memory), Merge)
    answered = other._replace(key="thread-2/comment-2", text="no, this way")
    assert rework(moved(both._replace(remarks=(REMARK, answered))), memory).remarks == (answered,)


def test_remarks_nothing_was_pushed_for_stand_in_the_way() -> None:
    snapshot = READY._replace(remarks=(REMARK,))
    decision = decide(snapshot, memory=after(snapshot))
    assert decision == Wait("waits for an answer to the remarks on #7: nothing was changed for them yet")
    assert isinstance(decide(READY, memory=after(snapshot)), Merge), "once they are resolved, they do not"


def test_a_person_is_asked_where_a_rework_left_the_head_as_it_is() -> None:
    for snapshot, why in (
        (READY._replace(checks=(GREEN, RED)), "the red checks of #7 (test) were worked on and nothing was changed"),
        (READY._replace(remarks=(REMARK,)), "the remarks on #7 were worked on and nothing was changed"),
    ):
        head = snapshot.pull_request.head_sha
        memory = remember_unchanged(after(snapshot), head)
        decision = decide(snapshot, memory=memory)
        assert isinstance(decision, Wait)
        assert decision.needs_human
        assert decision.reason.startswith(f"a person is needed: {why}")
        assert isinstance(decide(moved(READY), memory=memory), Merge)


def test_a_request_for_changes_stands_until_the_reviewer_looks_again() -> None:
    waits = Wait("waits for another review of #7: changes were requested")
    assert decide(moved(REQUESTED), memory=after(REQUESTED)) == waits
    assert decide(REQUESTED._replace(remarks=())) == waits, "without a word there is nothing to work on"


def test_a_conflict_is_worked_on_once_per_head_however_often_the_base_moves() -> None:
    memory = after(CONFLICT)
    gives_up_its_turn = Wait(
        "a person is needed: the conflict of #7 with main was worked on and is not settled", needs_human=True
    )
    assert decide(CONFLICT, memory=memory) == gives_up_its_turn
    assert decide(CONFLICT._replace(base_sha="d" * 40), memory=memory) == gives_up_its_turn
    assert isinstance(decide(moved(CONFLICT), memory=memory), Rework)


def test_conflicts_leave_the_rounds_for_checks_and_reviews() -> None:
    memory = NOTHING
    for head in "cde":
        memory = after(moved(CONFLICT, head * 40), memory)
    assert memory.rounds == 0
    assert decide(moved(CONFLICT, "f" * 40), memory=memory) == Wait(
        "a person is needed after 3 rounds of rework: #7 is in conflict with main", needs_human=True
    )
    assert isinstance(decide(REQUESTED, memory=memory), Rework)


def test_under_auto_only_the_one_whose_turn_it_is_is_reworked_for_a_conflict() -> None:
    assert decide(CONFLICT, front=3) == Wait("#7 waits for its turn behind #3")
    assert isinstance(decide(CONFLICT, MergePolicy.MANUAL, front=None), Rework)
    unreviewed = CONFLICT._replace(review=ReviewState.REQUIRED)
    assert decide(unreviewed, front=3) == Wait("#7 waits for a review"), "it has no turn before its review"
    red = CONFLICT._replace(checks=(RED,))
    assert isinstance(decide(red, front=3), Rework), "checks and reviews wait for no turn"


@pytest.mark.parametrize(
    ("snapshot", "what"),
    [
        (READY._replace(checks=(RED,)), "red checks on #7: test"),
        (REQUESTED, "1 remark on #7 by ada"),
    ],
)
def test_when_the_rounds_are_used_up_a_person_is_asked(snapshot: PullRequestSnapshot, what: str) -> None:
    assert isinstance(decide(snapshot, memory=ReworkMemory(rounds=2)), Rework)
    asked = decide(snapshot, memory=ReworkMemory(rounds=3))
    assert asked == Wait(f"a person is needed after 3 rounds of rework: {what}", needs_human=True)
    assert isinstance(decide(READY, memory=ReworkMemory(rounds=3)), Merge), "what is good needs no round"


def test_a_rework_uses_up_one_round() -> None:
    memory = after(READY._replace(checks=(RED,)))
    assert memory.rounds == 1
    assert after(moved(REQUESTED), memory).rounds == 2


def test_whoever_takes_the_label_off_gives_all_rounds_again() -> None:
    used_up = ReworkMemory(frozenset({"x"}), 3)
    assert heed_label(used_up, ()) == used_up, "asked just now, and the label does not show yet"
    given_back = heed_label(used_up, ("bug", NEEDS_HUMAN_LABEL))
    assert heed_label(given_back, (NEEDS_HUMAN_LABEL,)) == given_back
    assert given_back.rounds == 3
    assert heed_label(given_back, ("bug",)) == NOTHING


def test_names_are_not_listed_without_end() -> None:
    many = tuple(RED._replace(name=f"t{number}") for number in range(7))
    assert rework(READY._replace(checks=(*many, *many))).reason == "red checks on #7: t0, t1, t2, t3, t4 and 2 more"


def test_a_remark_without_an_author_is_a_reviewers() -> None:
    assert rework(READY._replace(remarks=(Remark("k", "", "x"),))).reason == "1 remark on #7 by a reviewer"
