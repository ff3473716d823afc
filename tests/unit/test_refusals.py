"""What the forge refused is remembered by head, in a bounded place, and survives as a label."""

from __future__ import annotations

from flows.flow_names import LABEL_PREFIX
from flows.remembered import Remembered, read_remembered
from parallel_workers.decisions.merge_decisions import ReworkMemory
from parallel_workers.decisions.refusals import (
    ENOUGH_REFUSALS,
    Refusals,
    refused_merges,
    refused_updates,
    remember_refused_merge,
    remember_refused_update,
)
from tests.unit.open_pull_requests import HEAD, NOTHING

OTHER_HEAD = "c" * 40
WORDS = "This branch can't be rebased:\n100 % of\tits commits"


def test_refusals_are_counted_for_the_head_they_were_said_of() -> None:
    memory = NOTHING
    for times in range(1, ENOUGH_REFUSALS + 1):
        assert not refused_merges(HEAD, memory).are_enough
        memory = remember_refused_merge(memory, HEAD, WORDS)
        assert refused_merges(HEAD, memory) == Refusals(times, "This branch can't be rebased: 100 % of its commits")
    assert refused_merges(HEAD, memory).are_enough
    assert refused_merges(OTHER_HEAD, memory) == Refusals()
    assert refused_updates(HEAD, memory) == Refusals()


def test_what_is_kept_stays_small_however_often_something_is_refused() -> None:
    memory = ReworkMemory(frozenset({"checks-1"}), 2)
    for number in range(30):
        memory = remember_refused_merge(memory, f"{number:040}", "é" * 9_000)
        memory = remember_refused_update(memory, f"{number:040}", "")
    assert (len(memory.handled), memory.rounds) == (3, 2)
    assert max(map(len, memory.handled)) < 2_000


def test_another_process_reads_what_was_refused() -> None:
    memory = remember_refused_update(remember_refused_merge(NOTHING, HEAD, WORDS), HEAD, "no: \ud800")
    facts = Remembered(memory).facts()
    again = read_remembered({f"{LABEL_PREFIX}{name}": value for name, value in facts.items()})
    assert again == Remembered(memory)
    assert refused_merges(HEAD, again.memory).words.startswith("This branch")


def test_words_that_ask_for_the_queue() -> None:
    for words in ("Changes must be made through the merge queue", "use the Merge-Queue"):
        assert refused_merges(HEAD, remember_refused_merge(NOTHING, HEAD, words)).ask_for_queue
    assert not refused_merges(HEAD, remember_refused_merge(NOTHING, HEAD, WORDS)).ask_for_queue
