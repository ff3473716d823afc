"""What must hold for any batch, whatever becomes of its tasks and in whatever order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_workers.decisions.scheduling import decide_schedule
from parallel_workers.progress import TaskProgress
from parallel_workers.spec import BatchSpec, TaskSpec

_ENDED = {TaskProgress.DONE, TaskProgress.FAILED}


@st.composite
def batches(draw: st.DrawFn) -> BatchSpec:
    """Any DAG of up to 12 tasks, its tasks in any order, with 1 to 4 slots."""
    count = draw(st.integers(1, 12))
    tasks = []
    for index in range(count):
        needs = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        tasks.append(
            TaskSpec(
                id=f"t{index}",
                description="x",
                priority=draw(st.integers(1, 10)),
                dependencies=tuple(f"t{number}" for number in sorted(needs)),
            )
        )
    ordered = tuple(draw(st.permutations(tasks)))
    return BatchSpec(name="b", project="p", tasks=ordered, max_workers=draw(st.integers(1, 4)))


def _descendants(batch: BatchSpec, roots: set[str]) -> set[str]:
    found: set[str] = set()
    while True:
        more = {task.id for task in batch.tasks if set(task.dependencies) & (roots | found)} - found
        if not more:
            return found
        found |= more


def _check_step(batch: BatchSpec, progress: dict[str, TaskProgress]) -> None:
    """Start what is to be started, and see that nothing was started that may not be."""
    schedule = decide_schedule(batch, progress)
    assert schedule == decide_schedule(batch, dict(reversed(progress.items())))  # deterministic
    standing = {task.id: progress.get(task.id, TaskProgress.WAITING) for task in batch.tasks}
    untouched = {name for name, state in standing.items() if state is TaskProgress.WAITING}
    parts = (set(schedule.start), set(schedule.skipped), set(schedule.waiting))
    assert set().union(*parts) == untouched  # each exactly once
    assert sum(map(len, parts)) == len(untouched)
    for name in schedule.start:
        assert all(standing[needed] is TaskProgress.DONE for needed in batch.task(name).dependencies)
        progress[name] = TaskProgress.ACTIVE
    active = sum(state is TaskProgress.ACTIVE for state in progress.values())
    assert active <= batch.max_workers
    ready = [
        task
        for task in batch.tasks
        if task.id in untouched and all(standing[needed] is TaskProgress.DONE for needed in task.dependencies)
    ]
    # No starvation: a slot stays free only when nothing is ready, and nothing ready is passed over for less.
    left = [task.priority for task in ready if task.id not in schedule.start]
    assert not left or active == batch.max_workers
    assert all(batch.task(name).priority >= max(left, default=0) for name in schedule.start)


@given(batches(), st.data())
@settings(deadline=None, max_examples=60)
def test_every_task_ends_once_whatever_happens(batch: BatchSpec, data: st.DataObject) -> None:
    progress: dict[str, TaskProgress] = {}
    steps = 0
    _check_step(batch, progress)
    while not decide_schedule(batch, progress).finished:
        steps += 1
        assert steps <= 3 * len(batch.tasks)  # it comes to an end
        under_way = sorted(name for name, state in progress.items() if state not in _ENDED)
        name = data.draw(st.sampled_from(under_way))
        follow = [TaskProgress.DONE, TaskProgress.FAILED]
        if progress[name] is TaskProgress.ACTIVE:
            follow.append(TaskProgress.IN_REVIEW)
        progress[name] = data.draw(st.sampled_from(follow))
        _check_step(batch, progress)
    skipped = decide_schedule(batch, progress).skipped
    assert set(progress.values()) <= _ENDED
    assert set(progress) | set(skipped) == {task.id for task in batch.tasks}
    assert not set(progress) & set(skipped)
    failed = {name for name, state in progress.items() if state is TaskProgress.FAILED}
    assert set(skipped) == _descendants(batch, failed)
    for reason in skipped.values():
        assert any(f" {name}" in reason for name in failed)
