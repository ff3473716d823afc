"""How far a batch has brought its milestones."""

from __future__ import annotations

from collections import Counter

from parallel_workers.markdown import escaped
from parallel_workers.progress import BatchOutcome
from parallel_workers.spec import BatchSpec


def milestone_progress(batch: BatchSpec, outcome: BatchOutcome) -> str:
    """Such as `Milestone Sprint 1: 3 of 4 tasks merged.`, one sentence each, as Markdown; '' without a milestone.

    A task's milestone is its own, else the batch's sprint. Tasks that needed no change count as done too.
    """
    names = {task.id: task.milestone or batch.metadata.sprint for task in batch.tasks}
    planned = Counter(name for name in names.values() if name)
    results = {task.task_id: task.result for task in outcome.tasks}
    merged = Counter(name for task_id, name in names.items() if results.get(task_id) == "merged")
    unchanged = Counter(name for task_id, name in names.items() if results.get(task_id) == "no_change")
    return " ".join(_progress(name, count, merged[name], unchanged[name]) for name, count in planned.items())


def _progress(name: str, planned: int, merged: int, unchanged: int) -> str:
    beside = f", {unchanged} needed no change" if unchanged else ""
    return f"Milestone {escaped(name)}: {merged} of {planned} task{'s' if planned > 1 else ''} merged{beside}."
