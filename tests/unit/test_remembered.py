"""What a run remembers of its reworks survives as labels, and a rework under way is neither done nor forgotten."""

from __future__ import annotations

from datetime import UTC, datetime

from flows.flow_names import LABEL_PREFIX
from flows.remembered import Remembered, read_remembered
from parallel_workers.decisions.merge_decisions import Merge, Rework, ReworkKind, ReworkMemory, UpdateBranch
from parallel_workers.decisions.refusals import remember_handed_over, remember_refused_merge
from parallel_workers.decisions.rework_memory import conflict_fingerprint, is_unchanged, review_fingerprint
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, Remark
from parallel_workers.spec import MergeMethod

HEAD = "a" * 40
REMARK = Remark("thread-1", "ada", "say why")
REVIEW = Rework(ReworkKind.REVIEW, review_fingerprint([REMARK]), "1 remark", remarks=(REMARK,))
CONFLICT = Rework(ReworkKind.CONFLICT, conflict_fingerprint(HEAD), "in conflict")


def again(remembered: Remembered) -> Remembered:
    """As another process reads it."""
    return read_remembered({f"{LABEL_PREFIX}{name}": value for name, value in remembered.facts().items()})


def test_a_run_without_labels_remembers_nothing() -> None:
    assert read_remembered({}) == Remembered()
    assert again(Remembered()) == Remembered()
    assert not Remembered().has_reworked


def test_a_rework_under_way_is_decided_on_again_after_a_restart_and_not_once_it_has_ended() -> None:
    for asked, rounds in ((REVIEW, 1), (CONFLICT, 0)):
        begun = again(Remembered().begun(asked, HEAD))
        assert begun.memory == ReworkMemory(), "it is not handled yet"
        assert begun.pending[0] == asked.fingerprint
        assert begun.has_reworked
        ended = again(begun.ended())
        assert asked.fingerprint in ended.memory.handled
        assert (ended.memory.rounds, ended.pending) == (rounds, ())
        assert again(begun.begun(asked, HEAD)).ended() == ended, "begun twice, it counts once"


def test_what_the_forge_refused_or_agreed_to_is_no_rework() -> None:
    memory = remember_handed_over(remember_refused_merge(ReworkMemory(), HEAD, "no"), HEAD, datetime.now(UTC))
    assert not again(Remembered(memory)).has_reworked
    assert again(Remembered(memory)).memory == memory


def test_a_head_that_a_rework_left_as_it_is_is_remembered() -> None:
    begun = again(Remembered().begun(REVIEW, HEAD))
    assert is_unchanged(HEAD, again(begun.ended(HEAD)).memory)
    assert not is_unchanged(HEAD, again(begun.ended()).memory)


def test_only_a_conflict_is_gone_on_with_without_asking_the_forge() -> None:
    assert Remembered().unfinished_conflict("#1") is None
    assert again(Remembered().begun(REVIEW, HEAD)).unfinished_conflict("#1") is None
    unfinished = again(Remembered().begun(CONFLICT, HEAD)).unfinished_conflict("#1")
    assert unfinished is not None
    assert unfinished.fingerprint == CONFLICT.fingerprint
    assert again(Remembered().begun(CONFLICT, HEAD)).has_taken_turn


def test_whoever_takes_the_label_off_gives_all_rounds_again() -> None:
    asked = Remembered().begun(REVIEW, HEAD).ended().with_asked()
    assert again(asked).has_asked
    assert asked.heeding(()) == asked, "right after it was put on, a look may not show it"
    labelled = again(asked.heeding((NEEDS_HUMAN_LABEL,)))
    assert labelled.heeding((NEEDS_HUMAN_LABEL,)) == labelled
    free = again(labelled.heeding(()))
    assert free == Remembered(resets=1)
    assert free.has_reworked


def test_what_was_just_tried_is_remembered_for_a_while_and_only_for_its_head() -> None:
    merge, update = Merge(MergeMethod.MERGE, HEAD, "may be merged"), UpdateBranch(HEAD, "is behind")
    tried = again(Remembered().having_tried(merge, 1000.4))
    assert tried.has_just_tried(merge, 1100.0)
    assert not tried.has_just_tried(merge, 1400.0)
    assert not tried.has_just_tried(update, 1100.0)
    assert not tried.has_just_tried(merge._replace(head_sha="b" * 40), 1100.0)
    assert not Remembered().has_just_tried(merge, 1100.0)
    assert again(tried.having_tried(update, 1100.0)).has_just_tried(update, 1101.0)
