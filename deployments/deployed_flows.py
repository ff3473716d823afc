"""Applies prefect.yaml through Prefect's client, and leaves alone what operators set by hand.

Ours, and brought up to date: entrypoint, description, parameter schema, version, pull steps, our tags.
The operator's once the deployment is there: schedules and their switches, default parameters, pause, concurrency limit,
work pool and queue, job variables, further tags. (`prefect deploy` sets those to what the file says.)
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, DeploymentUpdate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema

from deployments.prefect_file import DeploymentEntry

Applied = Literal["created", "updated", "unchanged"]


async def apply_deployment(client: PrefectClient, entry: DeploymentEntry) -> Applied:
    """Make the deployment, or bring what is ours in it up to date."""
    flow: Flow[..., Any] = await asyncio.to_thread(load_flow_from_entrypoint, entry.entrypoint)
    ours = _ours(entry, flow)
    try:
        existing = await client.read_deployment_by_name(f"{flow.name}/{entry.name}")
    except ObjectNotFound:
        await _create(client, entry, await client.create_flow(flow), ours)
        return "created"
    changes = _changes(existing, ours)
    if changes:
        await client.update_deployment(existing.id, DeploymentUpdate(**changes))
    return "updated" if changes else "unchanged"


def _ours(entry: DeploymentEntry, flow: Flow[..., Any]) -> dict[str, Any]:
    return {
        "entrypoint": entry.entrypoint,
        "description": entry.description,
        "tags": list(entry.tags),
        "version": flow.version,
        "parameter_openapi_schema": parameter_schema(flow).model_dump(exclude_unset=True),
        "pull_steps": [],
    }


def _changes(existing: DeploymentResponse, ours: dict[str, Any]) -> dict[str, Any]:
    """What of ours differs from what the server has."""
    wanted = {**ours, "tags": [*existing.tags, *(tag for tag in ours["tags"] if tag not in existing.tags)]}
    now = {name: getattr(existing, name) for name in wanted}
    now["pull_steps"] = now["pull_steps"] or []
    return {name: value for name, value in wanted.items() if now[name] != value}


async def _create(client: PrefectClient, entry: DeploymentEntry, flow_id: UUID, ours: dict[str, Any]) -> None:
    options = None
    if entry.collision_strategy:
        options = ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(entry.collision_strategy))
    await client.create_deployment(
        flow_id=flow_id,
        name=entry.name,
        work_pool_name=entry.work_pool,
        concurrency_limit=entry.concurrency_limit,
        concurrency_options=options,
        schedules=[_schedule(given) for given in entry.schedules],
        enforce_parameter_schema=True,
        **ours,
    )


def _schedule(given: dict[str, Any]) -> DeploymentScheduleCreate:
    if "cron" in given:
        schedule: CronSchedule | IntervalSchedule = CronSchedule(cron=given["cron"], timezone=given.get("timezone"))
    else:
        schedule = IntervalSchedule(interval=timedelta(seconds=given["interval"]))
    return DeploymentScheduleCreate(
        schedule=schedule,
        active=given.get("active", True),
        parameters=given.get("parameters", {}),
        slug=given["slug"],
    )
