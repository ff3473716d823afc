"""What the product is called on a Prefect server: flows, deployments, work pool, tags, labels and events."""

from __future__ import annotations

IMPLEMENT_TASK = "implement-task"
RUN_BATCH = "run-batch"
WATCH_PULL_REQUESTS = "watch-pull-requests"
CLEAN_UP_WORKERS = "clean-up-workers"
FLOWS = (IMPLEMENT_TASK, RUN_BATCH, WATCH_PULL_REQUESTS, CLEAN_UP_WORKERS)
"""Each has one deployment of the same name."""

WORK_POOL = "parallel-workers"
PRODUCT_TAG = "parallel-workers"
LABEL_PREFIX = "parallel_workers."
FORGE_PAUSE = f"{LABEL_PREFIX}forge_pause"
"""Label of a run without a process: why its forge is not asked at the moment, '' when it is."""

WORKER_EVENT = "parallel-workers.worker."
BATCH_EVENT = "parallel-workers.batch."
PULL_REQUEST_EVENT = "parallel-workers.pull-request."
"""Sent by CI or by hand (`.closed`, `.review`, `.checks`): look now, a pull request has moved."""


def deployment_of(flow: str) -> str:
    """The full name of a flow's deployment, as `prefect deployment run` takes it."""
    return f"{flow}/{flow}"
