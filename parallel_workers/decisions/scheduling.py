"""Which tasks of a batch begin now: dependencies merged, slots free, priority, then spec order."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from parallel_workers.progress import TaskProgress
from parallel_workers.spec import BatchSpec, TaskSpec


class Schedule(NamedTuple):
    """What to do now.

    `start` holds task ids in the order to begin them; `skipped` and `waiting` map task id to reason, in spec
    order; `finished` says that nothing is under way and nothing can begin any more.
    """

    start: tuple[str, ...]
    skipped: Mapping[str, str]
    waiting: Mapping[str, str]
    finished: bool


def decide_schedule(batch: BatchSpec, progress: Mapping[str, TaskProgress]) -> Schedule:
    """What to begin, given where each task stands; a task that `progress` does not name has not begun.

    A task begins when all its dependencies are DONE. ACTIVE tasks hold a slot, those IN_REVIEW hold none. A FAILED
    task skips its descendants and nothing else. Time: O(tasks + dependencies), plus sorting what is ready.
    """
    standing = {task.id: progress.get(task.id, TaskProgress.WAITING) for task in batch.tasks}
    skipped = _skip_descendants(batch, standing)
    left = [task for task in batch.tasks if standing[task.id] is TaskProgress.WAITING and task.id not in skipped]
    blocked = {task.id: names for task in left if (names := _unmet(task, standing))}
    # sorted() is stable: equal priorities keep the order of the file.
    ready = sorted((task for task in left if task.id not in blocked), key=lambda task: -task.priority)
    active = sum(state is TaskProgress.ACTIVE for state in standing.values())
    free = max(batch.max_workers - active, 0)
    start = tuple(task.id for task in ready[:free])
    begun = frozenset(start)
    waiting = {
        task.id: _waiting_reason(blocked.get(task.id, ()), batch.max_workers) for task in left if task.id not in begun
    }
    under_way = active > 0 or TaskProgress.IN_REVIEW in standing.values()
    return Schedule(start, MappingProxyType(skipped), MappingProxyType(waiting), not under_way and not start)


def _unmet(task: TaskSpec, standing: Mapping[str, TaskProgress]) -> tuple[str, ...]:
    return tuple(name for name in task.dependencies if standing.get(name) is not TaskProgress.DONE)


def _waiting_reason(unmet: tuple[str, ...], slots: int) -> str:
    if unmet:
        return f"waits until {', '.join(unmet)} {'is' if len(unmet) == 1 else 'are'} merged"
    return f"waits for a work slot ({slots} in use)"


def _skip_descendants(batch: BatchSpec, standing: Mapping[str, TaskProgress]) -> dict[str, str]:
    """Every task that has not begun and cannot, because a task above it failed; each names that task."""
    dependents: dict[str, list[TaskSpec]] = {}
    for task in batch.tasks:
        for name in task.dependencies:
            dependents.setdefault(name, []).append(task)
    failed = [task.id for task in batch.tasks if standing[task.id] is TaskProgress.FAILED]
    reasons: dict[str, str] = {}
    reached = [(name, name) for name in reversed(failed)]
    while reached:
        above, ancestor = reached.pop()
        for task in dependents.get(above, ()):
            if standing[task.id] is TaskProgress.WAITING and task.id not in reasons:
                reasons[task.id] = (
                    f"depends on {above}, which failed"
                    if above == ancestor
                    else f"depends on {above}, which is skipped because {ancestor} failed"
                )
                reached.append((task.id, ancestor))
    return {task.id: reasons[task.id] for task in batch.tasks if task.id in reasons}
