"""Hands work over to a running server's deployments, each piece at most once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from parallel_workers.spec import BatchSpec

BATCH_DEPLOYMENT = "run-batch/run-batch"
TASK_DEPLOYMENT = "implement-task/implement-task"


class HandedOver(NamedTuple):
    """The flow run that carries it out; `state` is Prefect's name for where it stands."""

    flow_run_id: str
    flow_run_name: str
    state: str
    ui_url: str


def hand_over_batch(batch: BatchSpec, arguments: dict[str, Any], ui_url: str) -> HandedOver | None:
    """Start `run-batch` with this batch on its deployment; None when the server has none.

    The same batch handed over again while it runs is the same flow run; once that has ended, a new one.
    """
    parameters = {"batch": batch.model_dump(mode="json"), **arguments}
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]
    return asyncio.run(_start_batch(parameters, f"batch:{batch.name}", f"spec:{digest}", ui_url))


async def _start_batch(parameters: dict[str, Any], batch_tag: str, digest_tag: str, ui_url: str) -> HandedOver | None:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        if not await _has_deployment(client, BATCH_DEPLOYMENT):
            return None
        earlier = await _runs_tagged(client, digest_tag)
        for run in earlier:
            if run.state is None or not run.state.is_final():
                return _handed_over(run, ui_url)
        # Two hands at once count the same runs, so they ask for the same key and get one run between them.
        key = f"{digest_tag}-{len(earlier) + 1}"
        run = await _start(BATCH_DEPLOYMENT, parameters, key, [batch_tag, digest_tag])
        return _handed_over(run, ui_url)


async def _runs_tagged(client: PrefectClient, tag: str) -> list[FlowRun]:
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterTags

    return await client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[BATCH_DEPLOYMENT.partition("/")[0]])),
        flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[tag])),
    )


def hand_over_task(batch: BatchSpec, arguments: dict[str, Any], ui_url: str) -> HandedOver | None:
    """Start `implement-task` for the only task of `batch`; None when the server has no deployment for it.

    A worker has one flow run for ever: one that has failed is scheduled again, one that is done is answered.
    """
    return asyncio.run(_start_task(batch, arguments, ui_url))


async def _start_task(batch: BatchSpec, arguments: dict[str, Any], ui_url: str) -> HandedOver | None:
    from prefect.client.orchestration import get_client

    from flows.run_batch import prepare_orders
    from flows.worker_states import labels_of, tags_of

    async with get_client() as client:
        if not await _has_deployment(client, TASK_DEPLOYMENT):
            return None
        _, (order,) = await prepare_orders(batch, **arguments)
        parameters = {"order": order.model_dump(mode="json")}
        run = await _start(TASK_DEPLOYMENT, parameters, order.worker, tags_of(order))
        if run.deployment_id is None:
            return None  # begun in a foreground before there was a deployment: no Prefect worker would take it up
        await _add_labels(client, run, labels_of(order, correlation_id=str(run.id)[:16]))
        return _handed_over(await _schedule_again(client, run), ui_url)


async def _add_labels(client: PrefectClient, run: FlowRun, labels: dict[str, str]) -> None:
    """Facts about the worker; what is there already stays, so that its correlation id never changes."""
    missing: dict[str, bool | int | float | str] = {
        name: value for name, value in labels.items() if name not in run.labels
    }
    if missing:
        await client.update_flow_run_labels(run.id, missing)


async def _schedule_again(client: PrefectClient, run: FlowRun) -> FlowRun:
    from prefect.states import Scheduled

    if run.state is None or not run.state.is_final() or run.state.is_completed():
        return run
    await client.set_flow_run_state(run.id, Scheduled(message="handed over again"), force=True)
    return await client.read_flow_run(run.id)


async def _has_deployment(client: PrefectClient, name: str) -> bool:
    from prefect.exceptions import ObjectNotFound

    try:
        await client.read_deployment_by_name(name)
    except ObjectNotFound:
        return False
    return True


async def _start(deployment: str, parameters: dict[str, Any], key: str, tags: list[str]) -> FlowRun:
    from prefect.deployments import arun_deployment

    # timeout 0: answer as soon as the run is made, do not wait for it to end.
    return await arun_deployment(
        deployment, parameters=parameters, timeout=0, idempotency_key=key, tags=tags, as_subflow=False
    )


def _handed_over(run: FlowRun, ui_url: str) -> HandedOver:
    state = (run.state.name if run.state else None) or ""
    return HandedOver(str(run.id), run.name, state, f"{ui_url}/runs/flow-run/{run.id}")
