"""What a batch leaves behind at its end: its table and its timeline."""

from __future__ import annotations

import httpx
from prefect import get_run_logger
from prefect.context import FlowRunContext

from flows.artifacts import publish_table, publish_timeline
from flows.prefect_clients import prefect_client
from flows.run_history import read_timeline
from flows.worker_states import read_runs
from parallel_workers.milestones import milestone_progress
from parallel_workers.progress import BatchOutcome
from parallel_workers.spec import BatchSpec


async def publish_batch(label: str, batch: BatchSpec, outcome: BatchOutcome) -> None:
    """Publish table and timeline of the batch run this is called in; `label` is `<project>/<batch>`.

    A server that takes neither is logged: how the batch ended is known without them.
    """
    context = FlowRunContext.get()
    since = context.flow_run.start_time if context and context.flow_run else None
    try:
        await publish_table(outcome._replace(batch=label), milestone_progress(batch, outcome))
        async with prefect_client() as client:
            runs = await read_runs(client, f"batch:{label}")
        results = {task.task_id: task.result for task in outcome.tasks}
        entries = await read_timeline(batch.tasks, runs, results=results, since=since)
        await publish_timeline(f"Timeline of batch {label}", f"batch-{label}-timeline", entries)
    except (httpx.HTTPError, OSError) as error:
        get_run_logger().warning("the batch's table or timeline could not be published: %s", error)
