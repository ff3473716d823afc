"""The keys under which every `--json` tells of workers, whatever else it tells: those of `WorkerRecord`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from parallel_workers.identity import branch_name, slugify
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import BatchOutcome, TaskOutcome, WorkerRecord

if TYPE_CHECKING:
    from parallel_workers.pull_requests import MergeAttempt, PullRequest
    from parallel_workers.spec import BatchSpec
    from parallel_workers.worktrees import Worktree


def outcome_keys(
    outcome: BatchOutcome, batch: BatchSpec, repository: str, records: Mapping[str, WorkerRecord]
) -> dict[str, object]:
    """The outcome of a whole run. `records` are what the server knows of its workers, by worker id."""
    tasks = []
    for task in outcome.tasks:
        record = records.get(task.worker_id) or record_from_spec(batch, repository, task)
        tasks.append(task_keys(task, record))
    return {
        "batch": outcome.batch,
        "tasks": tasks,
        "seconds": outcome.seconds,
        "succeeded": outcome.succeeded,
        "work_seconds": outcome.work_seconds,
    }


def task_keys(task: TaskOutcome, record: WorkerRecord) -> dict[str, object]:
    """A worker and how this run ended for it; `reason` is that of the end."""
    return {
        **record._asdict(),
        "reason": task.reason,
        "pr_url": task.pr_url or record.pr_url,
        "result": task.result,
        "seconds": task.seconds,
        "already_done": task.already_done,
    }


def record_from_spec(batch: BatchSpec, repository: str, task: TaskOutcome) -> WorkerRecord:
    """What is known of a worker that never began; what is not known is empty."""
    spec = batch.task(task.task_id)
    return WorkerRecord(
        worker_id=task.worker_id,
        task_id=task.task_id,
        state=WorkerState.UNKNOWN,
        reason=task.reason,
        agent=spec.agent,
        branch=branch_name(spec.id),
        base_branch=spec.base_branch or batch.base_branch,
        worktree="",
        pr_number=None,
        pr_url=task.pr_url,
        flow_run_id=task.flow_run_id,
        correlation_id="",
        created_at="",
        updated_at="",
        project=batch.project,
        batch=batch_label(batch),
        repository=repository,
    )


def batch_label(batch: BatchSpec) -> str:
    """The batch's name on the server: `<project slug>/<batch>`, as `settings.resolve_orders` gives it to workers."""
    return f"{slugify(batch.project)}/{batch.name}"


def pull_request_keys(one: PullRequest) -> dict[str, Any]:
    """A pull request; `state` is the pull request's, not a worker's."""
    names = {"number": "pr_number", "url": "pr_url", "worker": "worker_id", "head_branch": "branch"}
    return {names.get(name, name): value for name, value in one._asdict().items()}


def merge_attempt_keys(attempt: MergeAttempt) -> dict[str, Any]:
    """The pull request and what came of merging it."""
    told = {"outcome": attempt.outcome, "reason": attempt.reason, "files": attempt.files}
    return {**pull_request_keys(attempt.pull_request), **told}


def worktree_keys(one: Worktree) -> dict[str, Any]:
    """A linked worktree."""
    names = {"path": "worktree", "worker": "worker_id"}
    return {names.get(name, name): value for name, value in one._asdict().items()}
