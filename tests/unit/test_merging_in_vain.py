"""What the forge refuses, does not do yet or lets go: it is asked for a few times, and then a person is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parallel_workers.decisions.merge_decisions import (
    EnableAutoMerge,
    Merge,
    MergeRules,
    Rework,
    UpdateBranch,
    Wait,
)
from parallel_workers.decisions.merging import decide_merge
from parallel_workers.decisions.refusals import (
    ENOUGH_DELAYS,
    ENOUGH_REFUSALS,
    NotYet,
    forget_handed_over,
    not_yet,
    remember_handed_over,
    remember_not_yet,
    remember_refused_merge,
    remember_refused_update,
)
from parallel_workers.decisions.rework_memory import heed_label, remember
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, PullRequestSnapshot
from parallel_workers.spec import MergeMethod, MergePolicy
from tests.unit.open_pull_requests import HEAD, NOTHING, OPEN, PENDING, READY, REMARK, decide, moved

QUEUED = EnableAutoMerge(MergeMethod.MERGE, HEAD, "#7 may be merged into main, by the merge queue", to_queue=True)
NOW = Merge(MergeMethod.MERGE, HEAD, "#7 may be merged into main")


def test_a_merge_that_is_refused_again_and_again_ends_with_a_person() -> None:
    memory, words = NOTHING, "This branch can't be rebased"
    for _ in range(ENOUGH_REFUSALS):
        assert decide(READY, memory=memory) == NOW
        memory = remember_refused_merge(memory, HEAD, words)
    asked = Wait(f"a person is needed: the forge refuses to merge #7: {words}", needs_human=True)
    assert decide(READY, memory=memory) == asked
    assert isinstance(decide(moved(READY), memory=memory), Merge), "a push makes a new beginning"


def test_where_a_refusal_names_the_queue_the_forge_is_let_to_merge() -> None:
    memory = remember_refused_merge(NOTHING, HEAD, "Changes must be made through the merge queue")
    assert decide(READY, memory=memory) == QUEUED
    assert isinstance(decide(READY._replace(is_auto_merging=True), memory=memory), Wait)


def test_what_only_a_queue_merges_is_given_to_it_and_asked_for_less_and_less_often() -> None:
    ready, rules, words = READY._replace(has_queue=True), MergeRules(MergePolicy.AUTO), "checks are expected"
    assert decide(ready) == QUEUED, "whether or not auto-merge is allowed"
    assert isinstance(decide(ready, MergePolicy.MANUAL), Wait)
    memory, now, began = NOTHING, datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    for _ in range(ENOUGH_DELAYS):
        assert decide_merge(ready, rules, memory, 7, now) == QUEUED
        memory = remember_not_yet(memory, NotYet.QUEUE, HEAD, words, now)
        waits = decide_merge(ready, rules, memory, 7, now)
        why = "the forge does not take #7 into its merge queue: checks are expected"
        if not not_yet(memory, NotYet.QUEUE, HEAD).are_enough:
            assert waits == Wait(why)
            while isinstance(decide_merge(ready, rules, memory, 7, now), Wait):
                now += timedelta(seconds=5)
    assert waits == Wait(f"a person is needed: {why}", needs_human=True)
    assert timedelta(minutes=15) < now - began < timedelta(minutes=25)
    assert decide_merge(moved(ready), rules, memory, 7, now)[0] is MergeMethod.MERGE, "a push makes a new beginning"


@pytest.mark.parametrize(
    ("snapshot", "what", "why"),
    [
        (READY, NotYet.MERGE, "#7 is not merged yet"),
        (READY._replace(is_behind=True), NotYet.UPDATE, "#7 is still behind main"),
    ],
)
def test_what_the_forge_does_not_do_yet_is_asked_for_ten_times(
    snapshot: PullRequestSnapshot, what: NotYet, why: str
) -> None:
    memory, now = NOTHING, datetime(2026, 1, 2, tzinfo=UTC)
    rules, asked = MergeRules(MergePolicy.AUTO), 0
    decision = decide_merge(snapshot, rules, memory, 7, now)
    for _ in range(1000):
        if isinstance(decision, Wait) and decision.needs_human:
            break
        if isinstance(decision, Merge | UpdateBranch):
            memory, asked = remember_not_yet(memory, what, HEAD, "a check is expected", now), asked + 1
        now += timedelta(seconds=5)
        decision = decide_merge(snapshot, rules, memory, 7, now)
    assert (asked, decision) == (10, Wait(f"a person is needed: {why}: a check is expected", needs_human=True))
    again = decide_merge(moved(snapshot), rules, memory, 7, now)
    assert isinstance(again, Merge | UpdateBranch), "a push makes a new beginning"


def test_who_switches_off_that_the_forge_merges_is_not_overruled() -> None:
    rules, agreed_at = MergeRules(MergePolicy.AUTO), datetime(2026, 1, 2, tzinfo=UTC)
    offered = READY._replace(can_auto_merge=True, checks=(PENDING,))
    memory, later = remember_handed_over(NOTHING, HEAD, agreed_at), agreed_at + timedelta(minutes=1)
    on = offered._replace(is_auto_merging=True)
    assert decide_merge(on, rules, memory, 7, later) == Wait("#7 waits for checks: test")
    soon = decide_merge(offered, rules, memory, 7, agreed_at + timedelta(seconds=59))
    assert soon == Wait("#7 was given to the forge to merge it as soon as it may be"), "a look may lag behind"
    off = Wait(
        "a person is needed: somebody switched off that the forge merges #7 as soon as it may be", needs_human=True
    )
    assert decide_merge(offered, rules, memory, 7, later) == off
    assert decide_merge(READY, rules, memory, 7, later) == off, "nor is it merged by us when it could be"
    assert isinstance(decide_merge(offered, rules, forget_handed_over(memory), 7, later), EnableAutoMerge)
    assert isinstance(decide_merge(moved(offered), rules, memory, 7, later), EnableAutoMerge)
    given_back = heed_label(heed_label(memory, [NEEDS_HUMAN_LABEL]), [])
    assert isinstance(decide_merge(offered, rules, given_back, 7, later), EnableAutoMerge)


def test_what_falls_out_of_a_queue_is_put_into_it_three_times() -> None:
    ready, rules, now, memory = (
        READY._replace(has_queue=True),
        MergeRules(MergePolicy.AUTO),
        datetime(2026, 1, 2, tzinfo=UTC),
        NOTHING,
    )
    for _ in range(3):
        assert decide_merge(ready, rules, memory, 7, now) == QUEUED
        memory = remember_handed_over(memory, HEAD, now)
        now += timedelta(minutes=1)
    asked = Wait("a person is needed: the merge queue let #7 go 3 times", needs_human=True)
    assert decide_merge(ready, rules, memory, 7, now) == asked


def test_an_update_that_is_refused_again_and_again_gives_up_the_turn() -> None:
    behind, memory, words = READY._replace(is_behind=True), NOTHING, "protected branch"
    for _ in range(ENOUGH_REFUSALS):
        assert isinstance(decide(behind, memory=memory), UpdateBranch)
        memory = remember_refused_update(memory, HEAD, words)
    why = f"a person is needed: the forge refuses to bring #7 up to date with main: {words}"
    assert decide(behind, memory=memory) == Wait(why, needs_human=True)
    assert isinstance(decide(moved(behind), memory=memory), UpdateBranch)


def test_what_the_forge_refuses_for_long_is_told_to_a_person() -> None:
    locked = READY._replace(
        pull_request=OPEN._replace(updated_at="2026-01-02T12:00:00Z"), blocked_by="its branch is locked"
    )
    soon, late = datetime(2026, 1, 2, 13, 0, tzinfo=UTC), datetime(2026, 1, 2, 13, 1, tzinfo=UTC)
    waits = Wait("#7 may not be merged yet: its branch is locked")
    rules = MergeRules(MergePolicy.AUTO)
    assert decide_merge(locked, rules, NOTHING, 7, soon) == waits
    assert decide_merge(locked, rules, NOTHING, 7, late) == Wait(
        "a person is needed: #7 may not be merged yet: its branch is locked", needs_human=True
    )
    remarked = decide_merge(locked._replace(remarks=(REMARK,)), rules, NOTHING, 7, late)
    assert isinstance(remarked, Rework)
    answered = moved(locked._replace(remarks=(REMARK,)))
    memory = remember(NOTHING, remarked, HEAD)
    assert decide_merge(answered, rules, memory, 7, late) == waits, "new remarks are still to be worked on"
    assert isinstance(decide_merge(locked, MergeRules(MergePolicy.MANUAL), NOTHING, 7, late), Wait)
