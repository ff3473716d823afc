"""Waking batches that wait without a process: at the end of one of their workers, and at each look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import httpx
from loguru import logger
from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State

from flows.flow_names import LABEL_PREFIX, PRODUCT_TAG, RUN_BATCH
from flows.prefect_clients import prefect_client
from flows.suspension import wake
from flows.worker_states import read_runs

BATCH_RUN_LABEL = f"{LABEL_PREFIX}batch_run"
"""On a worker's flow run: the id of the deployed batch run that started it last."""
BATCH_LABEL = f"{LABEL_PREFIX}batch"
"""On a worker's and on a batch's flow run: the batch, as `<project>/<name>`."""
PROJECT_LABEL = f"{LABEL_PREFIX}project"
"""On both: the project as the batch file names it."""
ENDED_LABEL = f"{LABEL_PREFIX}ended"
"""On a batch's flow run: how many of its workers had ended when it last looked."""
WAITING = "WAITING"
"""Name of the state of a batch that waits without a process."""


async def wake_batch(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect's
    """Flow hook: wake the batch of a worker that has ended; one that is awake sees it by itself.

    What fails here is made good by the next look of watch-pull-requests.
    """
    try:
        async with prefect_client() as client:
            for batch in await _waiting_batches(client, [f"batch:{flow_run.labels.get(BATCH_LABEL, '')}"]):
                await wake(client, batch.id)
    except (httpx.HTTPError, OSError) as error:
        logger.warning("could not wake the batch of {}: {}", flow_run.name, error)


def count_ended(workers: Iterable[FlowRun]) -> int:
    """How many of a batch's workers have ended."""
    return sum(worker.state is not None and worker.state.is_final() for worker in workers)


async def wake_batches(client: PrefectClient) -> None:
    """Wake the batches that have missed the end of one of their workers."""
    for batch in await _waiting_batches(client, []):
        workers = await read_runs(client, f"batch:{batch.labels.get(BATCH_LABEL, '')}")
        if count_ended(workers) > int(str(batch.labels.get(ENDED_LABEL, 0))):
            await wake(client, batch.id)


async def _waiting_batches(client: PrefectClient, tags: list[str]) -> list[FlowRun]:
    """Suspended runs of run-batch with all of these tags: there may be several of one batch."""
    return await client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[RUN_BATCH])),
        flow_run_filter=FlowRunFilter(
            tags=FlowRunFilterTags(all_=[PRODUCT_TAG, *tags]),
            state=FlowRunFilterState(name=FlowRunFilterStateName(any_=[WAITING])),
        ),
    )
