"""What a Prefect worker took and never began is scheduled again; what is merely young, or has no deployment, is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.states import Pending, Running, Suspended

from deployments.automations import ZOMBIE_RESUMED
from deployments.embedded_server import ServerAddress
from flows.flow_names import PRODUCT_TAG
from flows.stranded_runs import reschedule_stranded, resume_suspended


@flow(name="stranded-sample")
async def sample() -> None:
    """A flow that nobody runs."""


@asynccontextmanager
async def without_the_automation(client: PrefectClient) -> AsyncIterator[None]:
    """While inside, only we resume: another test on this server may have registered the automation that does it too."""
    found = await client.read_automations_by_name(ZOMBIE_RESUMED)
    for automation in found:
        await client.pause_automation(automation.id)
    await asyncio.sleep(2 if found else 0)  # the server's triggers are told of it by a message
    try:
        yield
    finally:
        for automation in found:
            await client.resume_automation(automation.id)


async def test_only_what_nobody_begins_is_scheduled_again(prefect_server: ServerAddress) -> None:
    async with get_client() as client:
        flow_id = await client.create_flow(sample)
        deployment = await client.create_deployment(flow_id, "stranded-sample")
        deployed = await client.create_flow_run_from_deployment(deployment, tags=[PRODUCT_TAG])
        here = await client.create_flow_run(sample, tags=[PRODUCT_TAG], state=Pending())
        await client.set_flow_run_state(deployed.id, Pending(), force=True)
        young = await reschedule_stranded(client)
        stranded = await reschedule_stranded(client, patience=timedelta(0))
        after = [(await client.read_flow_run(run.id)).state for run in (deployed, here)]
        await client.delete_deployment(deployment)
    assert not {run.id for run in young} & {deployed.id, here.id}
    assert deployed.id in {run.id for run in stranded}
    assert [state.type.value for state in after if state] == ["SCHEDULED", "PENDING"]


async def test_what_an_automation_suspended_is_resumed_and_what_a_person_suspended_is_not(
    prefect_server: ServerAddress,
) -> None:
    async with get_client() as client, without_the_automation(client):
        deployment = await client.create_deployment(await client.create_flow(sample), "suspended-sample")
        runs = []
        for message in ("Suspended by Automation x", "I want to think"):
            run = await client.create_flow_run_from_deployment(deployment, tags=[PRODUCT_TAG])
            await client.set_flow_run_state(run.id, Running(), force=True)
            await client.set_flow_run_state(run.id, Suspended(message=message, timeout_seconds=60))
            runs.append(run.id)
        resumed = {run.id for run in await resume_suspended(client)}
        after = [(await client.read_flow_run(run)).state for run in runs]
        await client.delete_deployment(deployment)
    assert resumed & set(runs) == {runs[0]}
    assert [state.type.value for state in after if state] == ["SCHEDULED", "PAUSED"]
