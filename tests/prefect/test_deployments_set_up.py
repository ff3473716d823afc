"""Everything `up` registers, on a real server: made once, brought up to date, and what operators edit stays theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentUpdate, GlobalConcurrencyLimitUpdate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy
from prefect.flows import load_flow_from_entrypoint

from deployments.automations import SILENCE, ZOMBIE_RUN, zombie_run
from deployments.prefect_file import prefect_file, read_deployments
from deployments.server_address import ServerAddress
from deployments.set_up import set_up
from flows.flow_names import FLOWS, PRODUCT_TAG, WORK_POOL, deployment_of
from flows.limits import PUSH


@pytest.fixture
async def client(prefect_server: ServerAddress) -> AsyncIterator[PrefectClient]:
    """A client of a server on which everything is registered."""
    await set_up()
    async with get_client() as made:
        yield made


def test_the_file_names_one_deployment_per_flow() -> None:
    entries = read_deployments(prefect_file())
    assert [entry.name for entry in entries] == list(FLOWS)
    for entry in entries:
        assert load_flow_from_entrypoint(entry.entrypoint).name == entry.name
        assert entry.work_pool == WORK_POOL
        assert PRODUCT_TAG in entry.tags
        assert "**" in entry.description  # Markdown, for the UI


async def test_the_deployments_are_as_the_file_says(client: PrefectClient) -> None:
    batch = await client.read_deployment_by_name(deployment_of("run-batch"))
    assert (batch.work_pool_name, batch.pull_steps) == (WORK_POOL, [])
    assert [(each.slug, each.active) for each in batch.schedules] == [("nightly-example", False)]
    assert batch.schedules[0].parameters["spec"].endswith("ref=main")
    assert batch.parameter_openapi_schema is not None
    assert "spec" in batch.parameter_openapi_schema["properties"]
    for name in ("watch-pull-requests", "clean-up-workers"):
        deployment = await client.read_deployment_by_name(deployment_of(name))
        assert [each.active for each in deployment.schedules] == [True]
        assert deployment.global_concurrency_limit is not None
        assert deployment.global_concurrency_limit.limit == 1
        assert deployment.concurrency_options is not None
        assert deployment.concurrency_options.collision_strategy is ConcurrencyLimitStrategy.CANCEL_NEW


async def test_a_second_set_up_changes_nothing(client: PrefectClient) -> None:
    before = await client.read_deployment_by_name(deployment_of("run-batch"))
    again = await set_up()
    assert again.changed is False, again
    after = await client.read_deployment_by_name(deployment_of("run-batch"))
    assert after.updated == before.updated


async def test_what_an_operator_edits_is_kept(client: PrefectClient) -> None:
    await client.update_global_concurrency_limit(PUSH, GlobalConcurrencyLimitUpdate(limit=7))
    watch = await client.read_deployment_by_name(deployment_of("watch-pull-requests"))
    await client.update_deployment_schedule(watch.id, watch.schedules[0].id, active=False)
    mine = DeploymentUpdate(parameters={"project": "mine"}, tags=[*watch.tags, "team-a"], description="old words")
    await client.update_deployment(watch.id, mine)
    done = await set_up()
    assert done.deployments["watch-pull-requests"] == "updated"  # the description is ours
    assert done.limits[PUSH] == "unchanged"
    assert (await client.read_global_concurrency_limit_by_name(PUSH)).limit == 7
    kept = await client.read_deployment_by_name(deployment_of("watch-pull-requests"))
    assert [each.active for each in kept.schedules] == [False]
    assert kept.parameters == {"project": "mine"}
    assert kept.tags == [PRODUCT_TAG, "team-a"]
    assert kept.description == watch.description


async def test_an_automation_is_updated_by_name_and_stays_switched_off(client: PrefectClient) -> None:
    (zombie,) = await client.read_automations_by_name(ZOMBIE_RUN)
    old = zombie_run(timedelta(seconds=99)).model_copy(update={"enabled": False, "description": "old words"})
    await client.update_automation(zombie.id, old)
    assert (await set_up()).automations[ZOMBIE_RUN] == "updated"
    (after,) = await client.read_automations_by_name(ZOMBIE_RUN)
    assert (after.id, after.enabled) == (zombie.id, False)
    assert after.description != "old words"
    assert [action.type for action in after.actions] == ["suspend-flow-run"]
    assert after.trigger.within == SILENCE  # type: ignore[union-attr]
    await client.resume_automation(zombie.id)
