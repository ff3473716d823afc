"""Hands work over to a running server's deployments, each piece at most once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from parallel_workers.cli.worker_keys import batch_label

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from parallel_workers.spec import BatchSpec

BATCH_DEPLOYMENT = "run-batch/run-batch"
TASK_DEPLOYMENT = "implement-task/implement-task"


class HandedOver(NamedTuple):
    """What was handed over: its stable keys, among them those of a worker where it is one, and where to look."""

    keys: dict[str, object]
    flow_run_name: str
    ui_url: str

    def facts(self) -> dict[str, object]:
        """All of it, for `--json`."""
        return {**self.keys, "flow_run_name": self.flow_run_name, "ui_url": self.ui_url}

    def shown(self) -> dict[str, object]:
        """What a person wants to see of it."""
        facts = self.facts()
        names = ("worker_id", "task_id", "batch", "flow_run_id", "flow_run_name", "prefect_state", "ui_url")
        return {name: facts[name] for name in names if name in facts}


def hand_over_batch(batch: BatchSpec, arguments: dict[str, Any], ui_url: str) -> HandedOver | None:
    """Start `run-batch` with this batch on its deployment; None when the server has none.

    The same batch handed over again while it runs is the same flow run; once that has ended, a new one.
    """
    from flows.batch_files import batch_text
    from parallel_workers.adapters.git.repository import open_repository

    # A Prefect worker has another current folder than we have.
    here = batch.model_copy(update={"repository": str(open_repository(batch.repository).path)})
    parameters = {"spec": batch_text(here), "name": batch.name, **arguments}
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()[:12]
    tags = (f"batch:{batch.name}", f"spec:{digest}")
    run = asyncio.run(_start_batch(parameters, *tags))
    return None if run is None else _handed_over(run, _batch_keys(batch, run), ui_url)


def _batch_keys(batch: BatchSpec, run: FlowRun) -> dict[str, object]:
    """Of the stable keys those that a batch has: it is no worker, so there is no worker state."""
    changed = run.state.timestamp if run.state else run.updated
    return {
        "reason": (run.state and run.state.message) or "",
        "base_branch": batch.base_branch,
        "flow_run_id": str(run.id),
        "created_at": run.created.isoformat() if run.created else "",
        "updated_at": changed.isoformat() if changed else "",
        "project": batch.project,
        "batch": batch_label(batch),
        "prefect_state": (run.state and run.state.name) or "",
        "repository": batch.repository,
    }


async def _start_batch(parameters: dict[str, Any], batch_tag: str, digest_tag: str) -> FlowRun | None:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        if not await _has_deployment(client, BATCH_DEPLOYMENT):
            return None
        earlier = await _runs_tagged(client, digest_tag)
        for run in earlier:
            if run.state is None or not run.state.is_final():
                return run
        # Two hands at once count the same runs, so they ask for the same key and get one run between them.
        key = f"{digest_tag}-{len(earlier) + 1}"
        return await _start(BATCH_DEPLOYMENT, parameters, key, [batch_tag, digest_tag])


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
    from flows.worker_states import to_record

    run = asyncio.run(_start_task(batch, arguments))
    return None if run is None else _handed_over(run, to_record(run)._asdict(), ui_url)


async def _start_task(batch: BatchSpec, arguments: dict[str, Any]) -> FlowRun | None:
    from prefect.client.orchestration import get_client

    from flows.batch_orders import BatchParameters, prepare_orders
    from flows.worker_states import labels_of, tags_of

    async with get_client() as client:
        if not await _has_deployment(client, TASK_DEPLOYMENT):
            return None
        _, (order,) = await prepare_orders(batch, BatchParameters(**arguments))
        parameters = {"order": order.model_dump(mode="json")}
        run = await _start(TASK_DEPLOYMENT, parameters, order.worker, tags_of(order))
        if run.deployment_id is None:
            return None  # begun in a foreground before there was a deployment: no Prefect worker would take it up
        await _add_labels(client, run, labels_of(order, correlation_id=str(run.id)[:16]))
        await _schedule_again(client, run)
        return await client.read_flow_run(run.id)


async def _add_labels(client: PrefectClient, run: FlowRun, labels: dict[str, str]) -> None:
    """Facts about the worker; what is there already stays, so that its correlation id never changes."""
    missing: dict[str, bool | int | float | str] = {
        name: value for name, value in labels.items() if name not in run.labels
    }
    if missing:
        await client.update_flow_run_labels(run.id, missing)


async def _schedule_again(client: PrefectClient, run: FlowRun) -> None:
    from prefect.states import Scheduled

    if run.state is not None and run.state.is_final() and not run.state.is_completed():
        await client.set_flow_run_state(run.id, Scheduled(message="handed over again"), force=True)


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


def _handed_over(run: FlowRun, keys: dict[str, object], ui_url: str) -> HandedOver:
    return HandedOver(keys, run.name, f"{ui_url}/runs/flow-run/{run.id}")
