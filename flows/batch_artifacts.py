"""What a batch leaves to look at in the Prefect UI."""

from __future__ import annotations

from prefect.artifacts import acreate_table_artifact

from parallel_workers.identity import slugify
from parallel_workers.progress import BatchOutcome


async def publish_table(outcome: BatchOutcome) -> None:
    """A table artifact: one row per task, in spec order."""
    rows: list[dict[str, object]] = [
        {
            "task": task.task_id,
            "result": task.result,
            "seconds": round(task.seconds, 1),
            "pull request": task.pr_url or "",
            "reason": task.reason,
            "worker": task.worker_id,
        }
        for task in outcome.tasks
    ]
    await acreate_table_artifact(rows, key=f"batch-{slugify(outcome.batch)}", description=f"Batch {outcome.batch}")
