"""Events for automations and for whoever listens: what became of a worker, and of a batch. No secret is in them."""

from __future__ import annotations

from prefect.events import emit_event

from flows.flow_names import BATCH_EVENT, WORKER_EVENT
from flows.forge_credentials import without_secrets
from parallel_workers.spec import TaskOrder


def worker_event(order: TaskOrder, happened: str, reason: str) -> None:
    """Tell that a worker entered a state (`pr_open`, `merged` …) or needs a person (`needs_human`)."""
    emit_event(
        f"{WORKER_EVENT}{happened}",
        resource={
            "prefect.resource.id": f"parallel-workers.worker.{order.worker}",
            "prefect.resource.name": f"{order.task.id} · {order.task.agent}",
            "parallel-workers.project": order.project,
            "parallel-workers.batch": order.batch,
            "parallel-workers.branch": order.branch,
        },
        payload={"task_id": order.task.id, "reason": without_secrets(reason)},
    )


def batch_event(batch: str, project: str, happened: str, reason: str) -> None:
    """Tell that a batch has `started`, is `waiting`, or ended as `completed`, `failed` or `cancelled`."""
    emit_event(
        f"{BATCH_EVENT}{happened}",
        resource={
            "prefect.resource.id": f"parallel-workers.batch.{batch}",
            "prefect.resource.name": batch,
            "parallel-workers.project": project,
        },
        payload={"reason": without_secrets(reason)},
    )
