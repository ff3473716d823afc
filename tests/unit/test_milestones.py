"""How far a batch has brought its milestones."""

from __future__ import annotations

from parallel_workers.milestones import milestone_progress
from parallel_workers.progress import BatchOutcome, TaskOutcome
from parallel_workers.spec import BatchSpec, Metadata, TaskSpec


def progress(results: dict[str, str], sprint: str | None = None, **milestones: str) -> str:
    tasks = tuple(TaskSpec(id=task, description="x", milestone=milestones.get(task)) for task in results)
    batch = BatchSpec(name="b", project="p", tasks=tasks, metadata=Metadata(sprint=sprint))
    ended = tuple(TaskOutcome(task, f"worker-{task}", result, "") for task, result in results.items())
    return milestone_progress(batch, BatchOutcome("b", ended, 1.0))


def test_without_a_milestone_nothing_is_said() -> None:
    assert progress({"A": "merged"}) == ""


def test_the_sprint_is_every_tasks_milestone_and_failures_are_not_merged() -> None:
    assert progress({"A": "merged", "B": "failed", "C": "no_change"}, sprint="Sprint 1") == (
        "Milestone Sprint 1: 1 of 3 tasks merged, 1 needed no change."
    )


def test_a_tasks_own_milestone_goes_before_the_sprint() -> None:
    said = progress({"A": "merged", "B": "merged", "C": "skipped"}, sprint="Sprint 1", B="v2", C="v2")
    assert said == "Milestone Sprint 1: 1 of 1 task merged. Milestone v2: 1 of 2 tasks merged."
