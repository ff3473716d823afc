"""What workers and batches leave to look at in the Prefect UI. All go through the flow's own client.

Prefect's `create_*_artifact` functions open a client each, and with it a TLS context and a connection.
"""

from __future__ import annotations

from collections.abc import Sequence

from prefect.artifacts import Artifact, LinkArtifact, MarkdownArtifact, TableArtifact

from flows.prefect_clients import prefect_client
from parallel_workers.identity import slugify
from parallel_workers.markdown import code, escaped, link
from parallel_workers.messages import headline
from parallel_workers.progress import BatchOutcome
from parallel_workers.pull_requests import PullRequest
from parallel_workers.reports import batch_rows, batch_summary, worker_report
from parallel_workers.spec import TaskOrder
from parallel_workers.timeline import TimelineEntry
from parallel_workers.timeline_report import timeline_headline, timeline_report
from parallel_workers.work_report import WorkReport


async def publish_pull_request(order: TaskOrder, pull_request: PullRequest) -> None:
    """The link to a worker's pull request."""
    await _publish(
        LinkArtifact(
            link=pull_request.url,
            link_text=escaped(f"#{pull_request.number} {pull_request.title}"),
            key=f"{order.worker}-pull-request",
            description=f"{_task(order)}: {code(order.branch)} into {code(order.base_branch)}",
        )
    )


async def publish_report(order: TaskOrder, done: WorkReport, pull_request: PullRequest | None) -> None:
    """The report of a worker whose work is done; without a pull request when no change was needed.

    Published again after the merge, it takes the first one's place under the same key.
    """
    where = link(f"#{pull_request.number}", pull_request.url) if pull_request else "no change needed"
    await _publish(
        MarkdownArtifact(
            markdown=worker_report(order, done, pull_request),
            key=order.worker,
            description=f"{_task(order)} ({where})",
        )
    )


async def publish_table(outcome: BatchOutcome, progress: str = "") -> None:
    """A table of a batch: one row per task, in spec order; its description has links, and `progress`.

    Prefect's present UI shows cells as plain text, its former one as Markdown.
    """
    rows = [dict[str, object](row) for row in batch_rows(outcome)]
    description = f"{batch_summary(outcome)} {progress}".rstrip()
    await _publish(TableArtifact(table=rows, key=f"batch-{slugify(outcome.batch)}", description=description))


async def publish_timeline(title: str, key: str, entries: Sequence[TimelineEntry]) -> None:
    """The timeline of a batch under `key`: what happened in words, and the picture.

    Markdown, because below an image artifact Prefect's UI writes the image's whole `data:` URL out as text.
    """
    description = timeline_headline(title, entries)
    await _publish(
        MarkdownArtifact(markdown=timeline_report(title, entries), key=slugify(key), description=description)
    )


def _task(order: TaskOrder) -> str:
    return escaped(f"{order.task.id}: {headline(order.task)}")


async def _publish(artifact: Artifact) -> None:
    async with prefect_client() as client:
        await artifact.acreate(client=client)
