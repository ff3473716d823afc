"""Scheduling: a batch that stands in a known way, one change per test."""

from __future__ import annotations

import time
from collections.abc import Mapping

from parallel_workers.decisions.scheduling import Schedule, decide_schedule
from parallel_workers.progress import TaskProgress
from parallel_workers.spec import BatchSpec, TaskSpec

WAITING, ACTIVE, IN_REVIEW = TaskProgress.WAITING, TaskProgress.ACTIVE, TaskProgress.IN_REVIEW
DONE, FAILED = TaskProgress.DONE, TaskProgress.FAILED


def batch_of(tasks: Mapping[str, str], *, slots: int = 3, priorities: Mapping[str, int] | None = None) -> BatchSpec:
    """Tasks by id, each with the ids it needs, separated by spaces."""
    specs = tuple(
        TaskSpec(id=name, description="x", dependencies=tuple(needs.split()), priority=(priorities or {}).get(name, 5))
        for name, needs in tasks.items()
    )
    return BatchSpec(name="b", project="p", tasks=specs, max_workers=slots)


DIAMOND = {"a": "", "b": "a", "c": "a", "d": "b c", "e": ""}


def decide(tasks: Mapping[str, str], *, slots: int = 3, **progress: TaskProgress) -> Schedule:
    return decide_schedule(batch_of(tasks, slots=slots), progress)


def test_only_what_needs_nothing_begins() -> None:
    schedule = decide(DIAMOND)
    assert schedule.start == ("a", "e")
    assert schedule.waiting == {
        "b": "waits until a is merged",
        "c": "waits until a is merged",
        "d": "waits until b, c are merged",
    }
    assert (schedule.skipped, schedule.finished) == ({}, False)


def test_a_dependency_counts_when_it_is_done_not_before() -> None:
    assert decide(DIAMOND, a=IN_REVIEW, e=DONE).start == ()
    assert decide(DIAMOND, a=ACTIVE, e=DONE).start == ()
    assert decide(DIAMOND, a=DONE, e=DONE).start == ("b", "c")
    assert decide(DIAMOND, a=DONE, b=DONE, c=IN_REVIEW, e=DONE).start == ()
    assert decide(DIAMOND, a=DONE, b=DONE, c=DONE, e=DONE).start == ("d",)


def test_a_task_needs_only_what_it_still_waits_for_in_its_reason() -> None:
    assert decide(DIAMOND, a=DONE, b=DONE, c=ACTIVE).waiting == {"d": "waits until c is merged"}


def test_priority_then_order_of_the_file() -> None:
    batch = batch_of(dict.fromkeys("abcde", ""), slots=4, priorities={"c": 9, "e": 9, "a": 1})
    schedule = decide_schedule(batch, {})
    assert schedule.start == ("c", "e", "b", "d")
    assert schedule.waiting == {"a": "waits for a work slot (4 in use)"}


def test_active_tasks_hold_slots_those_in_review_do_not() -> None:
    tasks = dict.fromkeys("abcdef", "")
    assert decide(tasks, slots=2, a=ACTIVE, b=IN_REVIEW, c=IN_REVIEW).start == ("d",)
    assert decide(tasks, slots=2, a=ACTIVE, b=ACTIVE).start == ()
    assert decide(tasks, slots=1, a=ACTIVE, b=ACTIVE).start == ()  # more than allowed: after max_workers was lowered


def test_a_failure_skips_its_descendants_and_nothing_else() -> None:
    schedule = decide({**DIAMOND, "f": "d e"}, b=FAILED, a=DONE)
    assert schedule.skipped == {
        "d": "depends on b, which failed",
        "f": "depends on d, which is skipped because b failed",
    }
    assert schedule.start == ("c", "e")
    assert schedule.waiting == {}


def test_a_task_between_failed_and_skipped_is_found_whatever_the_order_of_the_file() -> None:
    assert decide({"c": "b", "b": "a", "a": ""}, a=FAILED).skipped == {
        "c": "depends on b, which is skipped because a failed",
        "b": "depends on a, which failed",
    }


def test_what_has_begun_or_is_done_is_not_skipped() -> None:
    schedule = decide({"a": "", "b": "a", "c": "b"}, a=FAILED, b=DONE)
    assert (schedule.skipped, schedule.start) == ({}, ("c",))
    assert decide({"a": "", "b": "a"}, a=FAILED, b=ACTIVE).skipped == {}


def test_finished_only_when_nothing_runs_or_can_run() -> None:
    tasks = {"a": "", "b": "a"}
    assert not decide(tasks).finished
    assert not decide(tasks, a=ACTIVE).finished
    assert not decide(tasks, a=IN_REVIEW).finished
    assert not decide(tasks, a=DONE).finished
    assert not decide(tasks, a=DONE, b=IN_REVIEW).finished
    assert decide(tasks, a=DONE, b=DONE).finished
    assert decide(tasks, a=FAILED).finished
    assert decide(tasks, a=DONE, b=FAILED).finished


def test_a_thousand_tasks_are_scheduled_in_milliseconds() -> None:
    tasks = {f"t{i}": " ".join(f"t{j}" for j in range(max(0, i - 3), i)) for i in range(1000)}
    batch = batch_of(tasks, slots=50)
    progress = {f"t{i}": DONE for i in range(300)} | {"t400": FAILED}

    def seconds() -> float:
        begin = time.thread_time()
        decide_schedule(batch, progress)
        return time.thread_time() - begin

    assert min(seconds() for _ in range(20)) < 0.010
