"""What workers and batches leave to look at in the Prefect UI. All go through the flow's own client.

Prefect's `create_*_artifact` functions open a client each, and with it a TLS context and a connection.
"""

from __future__ import annotations

from prefect.artifacts import LinkArtifact, MarkdownArtifact, TableArtifact

from flows.worker_states import prefect_client
from parallel_workers import messages
from parallel_workers.identity import slugify
from parallel_workers.progress import BatchOutcome
from parallel_workers.pull_requests import PullRequest
from parallel_workers.spec import TaskOrder
from parallel_workers.work_report import WorkReport


async def publish_pull_request(order: TaskOrder, pull_request: PullRequest) -> None:
    """The link to a worker's pull request."""
    link = LinkArtifact(
        link=pull_request.url,
        link_text=f"#{pull_request.number} {pull_request.title}",
        key=f"{order.worker}-pull-request",
        description=messages.headline(order.task),
    )
    async with prefect_client() as client:
        await link.acreate(client=client)


async def publish_report(order: TaskOrder, done: WorkReport, pull_request: PullRequest | None) -> None:
    """The report of a worker that is done; without a pull request when no change was needed."""
    report = MarkdownArtifact(
        markdown=messages.worker_report(order, done, pull_request),
        key=order.worker,
        description=messages.headline(order.task),
    )
    async with prefect_client() as client:
        await report.acreate(client=client)


async def publish_table(outcome: BatchOutcome) -> None:
    """A table of a batch: one row per task, in spec order."""
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
    table = TableArtifact(
        table=rows, key=f"batch-{slugify(outcome.batch)}", description=f"How batch {outcome.batch} ended"
    )
    async with prefect_client() as client:
        await table.acreate(client=client)
