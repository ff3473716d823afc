"""What a Prefect worker took and never began is scheduled again; what is merely young, or has no deployment, is not."""

from __future__ import annotations

from datetime import timedelta

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.states import Pending

from deployments.embedded_server import ServerAddress
from flows.flow_names import PRODUCT_TAG
from flows.stranded_runs import reschedule_stranded


@flow(name="stranded-sample")
async def sample() -> None:
    """A flow that nobody runs."""


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
