"""What must hold for any pull request, whatever its checks, reviews and base do."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_workers.decisions.front import decide_front
from parallel_workers.decisions.merge_decisions import (
    DisableAutoMerge,
    EnableAutoMerge,
    GiveUp,
    Merge,
    Merged,
    MergeRules,
    Rework,
    ReworkKind,
    ReworkMemory,
    UpdateBranch,
    Wait,
)
from parallel_workers.decisions.merging import decide_merge
from parallel_workers.decisions.refusals import (
    NotYet,
    remember_handed_over,
    remember_not_yet,
    remember_refused_merge,
    remember_refused_update,
)
from parallel_workers.decisions.rework_memory import (
    remember,
    remember_lasting_auto_merge,
    remember_refused_auto_merge,
)
from parallel_workers.pull_request_snapshots import (
    NEEDS_HUMAN_LABEL,
    Check,
    CheckState,
    Mergeable,
    PullRequestSnapshot,
    Remark,
    ReviewState,
)
from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.spec import MergeMethod, MergePolicy

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MANY = settings(max_examples=100, deadline=None)

# What others wrote: a name of a check, why one was closed, what a branch rule says.
foreign = st.text(st.sampled_from("ab \n\r\t\u2028"), max_size=4)

checks = st.builds(Check, st.sampled_from("abc") | foreign, st.sampled_from(CheckState), st.booleans())
remarks = st.builds(Remark, st.sampled_from("xyz"), st.just("ada"), st.just("no"))
pull_requests = st.builds(
    PullRequest,
    number=st.integers(1, 5),
    url=st.just("u"),
    worker=st.just("w"),
    title=st.just("t"),
    body=st.just("b"),
    # Mostly open: an ended one is decided at once.
    state=st.sampled_from([*[PullRequestState.OPEN] * 8, *PullRequestState]),
    head_branch=st.just("feature/t"),
    head_sha=st.sampled_from(["1" * 40, "2" * 40, "3" * 40]),
    base_branch=st.sampled_from(["main", "dev"]),
    labels=st.sampled_from([(), (), (), (NEEDS_HUMAN_LABEL,)]),
    reason=foreign,
)
snapshots = st.builds(
    PullRequestSnapshot,
    pull_request=pull_requests,
    is_draft=st.booleans(),
    mergeable=st.sampled_from(Mergeable),
    checks=st.lists(checks, max_size=3).map(tuple),
    is_awaiting_checks=st.booleans(),
    review=st.sampled_from(ReviewState),
    remarks=st.lists(remarks, max_size=2).map(tuple),
    is_behind=st.booleans(),
    blocked_by=st.sampled_from(["", "", "locked"]) | foreign,
    is_queued=st.booleans(),
    has_queue=st.booleans(),
    is_auto_merging=st.booleans(),
    can_auto_merge=st.booleans(),
    allowed_methods=st.lists(st.sampled_from(MergeMethod), unique=True).map(tuple),
    base_sha=st.sampled_from(["4" * 40, "5" * 40]),
)
rules = st.builds(
    MergeRules,
    st.sampled_from(MergePolicy),
    st.sampled_from(MergeMethod),
    st.integers(0, 3),
    st.sampled_from(["", "main", "dev"]),
)
fronts = st.none() | st.integers(1, 5)


@st.composite
def histories(draw: st.DrawFn, rule: MergeRules) -> tuple[ReworkMemory, dict[ReworkKind, int]]:
    """A memory as a run comes by it, and how often it was sent back to work for what."""
    memory, count = ReworkMemory(), dict.fromkeys(ReworkKind, 0)
    for snapshot, front in draw(st.lists(st.tuples(snapshots, fronts), max_size=6)):
        decision = decide_merge(snapshot, rule, memory, front)
        if isinstance(decision, Rework):
            assert decision.fingerprint not in memory.handled
            memory = remember(memory, decision, snapshot.pull_request.head_sha)
            count[decision.kind] += 1
    return memory, count


def stands_in_the_way(snapshot: PullRequestSnapshot) -> bool:
    return (
        snapshot.pull_request.state is not PullRequestState.OPEN
        or NEEDS_HUMAN_LABEL in snapshot.pull_request.labels
        or any(check.state is not CheckState.GREEN for check in snapshot.checks)
        or snapshot.is_awaiting_checks
        or snapshot.mergeable is not Mergeable.YES
        or snapshot.is_draft
        or snapshot.is_behind
        or snapshot.is_queued
        or snapshot.has_queue
        or snapshot.is_auto_merging
        or bool(snapshot.blocked_by)
        or snapshot.review in (ReviewState.REQUIRED, ReviewState.CHANGES_REQUESTED)
    )


@MANY
@given(snapshots, rules, fronts, st.data())
def test_it_is_merged_only_when_asked_for_and_nothing_stands_in_the_way(
    snapshot: PullRequestSnapshot, rule: MergeRules, front: int | None, data: st.DataObject
) -> None:
    memory, _ = data.draw(histories(rule))
    decision = decide_merge(snapshot, rule, memory, front)
    if isinstance(decision, Merge):
        assert not stands_in_the_way(snapshot)
        assert rule.policy is MergePolicy.AUTO
        assert decision.head_sha == snapshot.pull_request.head_sha
        assert decision.method in snapshot.allowed_methods
    elif not stands_in_the_way(snapshot) and not snapshot.remarks and snapshot.allowed_methods:
        assert rule.policy is MergePolicy.MANUAL, "what may be merged is"


@MANY
@given(snapshots, rules, fronts, st.data())
def test_the_forge_is_asked_to_merge_or_update_only_what_is_good_so_far(
    snapshot: PullRequestSnapshot, rule: MergeRules, front: int | None, data: st.DataObject
) -> None:
    memory, _ = data.draw(histories(rule))
    decision = decide_merge(snapshot, rule, memory, front)
    if isinstance(decision, EnableAutoMerge | UpdateBranch):
        assert rule.policy is MergePolicy.AUTO
        assert not snapshot.is_draft
        assert not any(check.state is CheckState.RED for check in snapshot.checks)
        assert snapshot.review is not ReviewState.CHANGES_REQUESTED
        assert decision.head_sha == snapshot.pull_request.head_sha
    if isinstance(decision, EnableAutoMerge):
        assert snapshot.can_auto_merge or decision.to_queue
        assert not snapshot.is_auto_merging
        assert decision.method in snapshot.allowed_methods
        assert snapshot.checks or decision.to_queue, "right after a push nobody knows which will report"
        assert not decision.to_queue or not stands_in_the_way(snapshot._replace(has_queue=False))
        assert all(check.required or check.state is CheckState.GREEN for check in snapshot.checks)
        assert not snapshot.blocked_by
        after = decide_merge(snapshot._replace(is_auto_merging=True), rule, memory, front)
        assert isinstance(after, Wait), "it is not switched off again at the next look"
    if isinstance(decision, DisableAutoMerge):
        assert rule.policy is MergePolicy.AUTO
        assert snapshot.is_auto_merging
        after = decide_merge(snapshot._replace(is_auto_merging=False), rule, memory, front)
        assert isinstance(after, Rework | Wait), "nor on"
    if isinstance(decision, UpdateBranch):
        assert front == snapshot.pull_request.number
        assert snapshot.mergeable is Mergeable.YES


@MANY
@given(snapshots, rules, fronts, st.sampled_from(["no", "use the merge queue", "yes"]))
def test_what_is_asked_for_in_vain_is_asked_for_a_few_times_only(
    snapshot: PullRequestSnapshot, rule: MergeRules, front: int | None, words: str
) -> None:
    """Whether the forge says no, or says yes (to a merge: not yet) and nothing comes of it."""
    memory, head = ReworkMemory(), snapshot.pull_request.head_sha
    for _ in range(60):
        decision = decide_merge(snapshot, rule, memory, front)
        match decision:
            case Merge():
                refused = remember_refused_merge(memory, head, words)
                memory = remember_not_yet(memory, NotYet.MERGE, head, words, NOW) if words == "yes" else refused
            case UpdateBranch():
                refused = remember_refused_update(memory, head, words)
                memory = remember_not_yet(memory, NotYet.UPDATE, head, words, NOW) if words == "yes" else refused
            case EnableAutoMerge() if words == "yes":
                memory = remember_handed_over(memory, head, NOW)
            case EnableAutoMerge(to_queue=True):
                memory = remember_not_yet(memory, NotYet.QUEUE, head, words, NOW)
            case EnableAutoMerge():
                memory = remember_refused_auto_merge(memory, head)
            case DisableAutoMerge():
                memory = remember_lasting_auto_merge(memory, head)
            case Rework():
                memory = remember(memory, decision, head)
            case _:
                break
    else:
        raise AssertionError(decision)


@MANY
@given(snapshots, rules, fronts, st.data())
def test_work_is_bounded_and_done_once(
    snapshot: PullRequestSnapshot, rule: MergeRules, front: int | None, data: st.DataObject
) -> None:
    memory, count = data.draw(histories(rule))
    assert count[ReworkKind.CHECKS] + count[ReworkKind.REVIEW] <= rule.rework_rounds
    assert count[ReworkKind.CONFLICT] <= rule.rework_rounds
    decision = decide_merge(snapshot, rule, memory, front)
    if isinstance(decision, Rework):
        assert decision.fingerprint not in memory.handled
        assert " " not in decision.fingerprint
        after = remember(memory, decision, snapshot.pull_request.head_sha)
        again = decide_merge(snapshot, rule, after, front)
        assert not isinstance(again, Merge), "nothing was pushed: what was wrong still is"
        assert not isinstance(again, Rework) or again.kind is not decision.kind
    if isinstance(decision, Wait) and decision.needs_human:
        assert NEEDS_HUMAN_LABEL not in snapshot.pull_request.labels


@MANY
@given(snapshots, rules, fronts, st.data())
def test_every_decision_says_why_and_is_made_alike_twice(
    snapshot: PullRequestSnapshot, rule: MergeRules, front: int | None, data: st.DataObject
) -> None:
    memory, _ = data.draw(histories(rule))
    decision = decide_merge(snapshot, rule, memory, front)
    assert decision.reason.strip()
    assert len(decision.reason.splitlines()) == 1
    assert decision == decide_merge(snapshot, rule, memory, front)
    state = snapshot.pull_request.state
    assert isinstance(decision, Merged) == (state is PullRequestState.MERGED)
    assert isinstance(decision, GiveUp) == (state is PullRequestState.CLOSED)


@MANY
@given(st.lists(snapshots, max_size=8, unique_by=lambda snapshot: snapshot.pull_request.number), st.randoms())
def test_it_is_one_pull_requests_turn_per_base_in_whatever_order_they_come(
    seen: list[PullRequestSnapshot], random: Random
) -> None:
    front = decide_front(seen)
    by_number = {snapshot.pull_request.number: snapshot.pull_request for snapshot in seen}
    for base, number in front.items():
        assert by_number[number].base_branch == base
        assert by_number[number].state is PullRequestState.OPEN
        assert NEEDS_HUMAN_LABEL not in by_number[number].labels
    shuffled = list(seen)
    random.shuffle(shuffled)
    assert decide_front(shuffled) == front
