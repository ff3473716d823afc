"""A schedule fires: Prefect's scheduler makes the flow runs of a near time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.schedules import IntervalSchedule

from deployments.embedded_server import ServerAddress

_SECONDS = 100
"""The server looks for what is due every minute."""


@flow(name="scheduled-sample")
async def sample() -> None:
    """Only its schedule counts."""


async def test_the_server_makes_the_runs_of_a_schedule(prefect_server: ServerAddress) -> None:
    async with get_client() as client:
        often = DeploymentScheduleCreate(schedule=IntervalSchedule(interval=timedelta(seconds=30)))
        flow_id = await client.create_flow(sample)
        deployment = await client.create_deployment(flow_id, "scheduled-sample", schedules=[often])
        chosen = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
        for _ in range(_SECONDS):
            if runs := await client.read_flow_runs(deployment_filter=chosen):
                break
            await asyncio.sleep(1)
        await client.delete_deployment(deployment)
    assert runs, "the scheduler made no run"
    assert {run.state.type for run in runs if run.state} == {StateType.SCHEDULED}
    assert all(run.auto_scheduled for run in runs)
