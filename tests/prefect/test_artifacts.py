"""What a run leaves on a real server: links, reports, tables and timelines, under stable keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact
from prefect.runtime import flow_run

from deployments.embedded_server import ServerAddress
from flows.artifacts import publish_pull_request, publish_report, publish_table, publish_timeline
from parallel_workers.progress import BatchOutcome, TaskOutcome
from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.spec import AgentProfile, TaskOrder, TaskSpec
from parallel_workers.timeline import TimelineEntry, TimelineSpan
from parallel_workers.work_report import WorkReport

WORKER = f"worker-{uuid4().hex[:8]}"
ORDER = TaskOrder(
    worker=WORKER,
    batch="shop/sprint",
    project="shop",
    repository="/src/shop",
    task=TaskSpec(id="TASK-1", description="Add [login]."),
    base_branch="main",
    branch="feature/task-1",
    worktree="/trees/shop/TASK-1",
    agent=AgentProfile(command=("true",)),
)
DONE = WorkReport(base_sha="a" * 40, head_sha="b" * 40)
PULL = PullRequest(
    3, "http://127.0.0.1:1/pulls/3", WORKER, "TASK-1: [x]", "", PullRequestState.OPEN, "feature/task-1", "b", "main"
)
BEGIN = datetime(2026, 11, 23, tzinfo=UTC)


async def artifacts_of(run_id: UUID) -> list[Artifact]:
    async with get_client() as client:
        chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        return await client.read_artifacts(artifact_filter=chosen)


@flow
async def publish_worker() -> str:
    await publish_pull_request(ORDER, PULL)
    await publish_report(ORDER, DONE, PULL)
    merged = PULL._replace(state=PullRequestState.MERGED, merge_sha="c" * 40)
    await publish_report(ORDER, DONE, merged)
    return str(flow_run.id)


@flow
async def publish_batch(tasks: int) -> str:
    entries = []
    for row in range(tasks):
        begin = BEGIN + timedelta(seconds=row)
        spans = (TimelineSpan("WORKING", begin, begin + timedelta(minutes=1)),)
        entries.append(TimelineEntry(f"TASK-{row:03}", "merged", (), spans))
    outcome = BatchOutcome("Sprint 1", (TaskOutcome("TASK-1", "w", "merged", "", PULL.url, 3.0),), 4.0)
    await publish_table(outcome)
    await publish_timeline("Batch Sprint 1", "batch-Sprint 1-timeline", entries)
    return str(flow_run.id)


async def test_a_workers_link_and_report_are_kept_and_told_apart_by_key(prefect_server: ServerAddress) -> None:
    left = await artifacts_of(UUID(await publish_worker()))
    (pull_request,) = [artifact for artifact in left if artifact.key == f"{WORKER}-pull-request"]
    assert pull_request.data == f"[#3 TASK-1: \\[x\\]]({PULL.url})"
    assert pull_request.description == "TASK-1: Add \\[login\\]: `feature/task-1` into `main`"
    reports = [str(artifact.data) for artifact in left if artifact.key == WORKER]
    assert sorted("**Merged**" in report for report in reports) == [False, True]
    assert {artifact.description for artifact in left if artifact.key == WORKER} == {
        f"TASK-1: Add \\[login\\] ([#3]({PULL.url}))"
    }


async def test_a_batch_leaves_a_table_and_a_timeline_with_its_picture(prefect_server: ServerAddress) -> None:
    left = {artifact.key: artifact for artifact in await artifacts_of(UUID(await publish_batch(200)))}
    assert set(left) == {"batch-sprint-1", "batch-sprint-1-timeline"}
    assert [row["task"] for row in json.loads(str(left["batch-sprint-1"].data))] == ["TASK-1"]
    assert f"[TASK-1]({PULL.url})" in str(left["batch-sprint-1"].description)
    timeline = left["batch-sprint-1-timeline"]
    assert timeline.type == "markdown", "an image artifact's page writes its data URL out as text"
    assert "](data:image/svg+xml;base64," in str(timeline.data)
    assert timeline.description == "Batch Sprint 1: 200 tasks in 4 min 19 s, speed-up 46.3"
