"""The fixtures themselves: flows of a test run on the embedded server and leave nothing in HOME."""

from __future__ import annotations

import os
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_HOME

from deployments.embedded_server import ServerAddress


@task
async def double(number: int) -> int:
    get_run_logger().info("doubling %s", number)
    return 2 * number


@flow(persist_result=True)
async def doubling(number: int) -> int:
    return await double(number)


async def test_a_flow_runs_on_the_embedded_server(prefect_server: ServerAddress, isolated_environment: Path) -> None:
    state = await doubling(21, return_state=True)
    assert await state.aresult() == 42
    async with get_client() as client:
        assert str(client.api_url).rstrip("/") == prefect_server.api_url
        assert state.state_details.flow_run_id is not None
        run = await client.read_flow_run(state.state_details.flow_run_id)
    assert run.state_name == "Completed"
    assert list((isolated_environment / ".prefect" / "storage").iterdir())


def test_settings_and_environment_point_to_it(prefect_server: ServerAddress, isolated_environment: Path) -> None:
    assert PREFECT_API_URL.value() == os.environ["PREFECT_API_URL"] == prefect_server.api_url
    assert PREFECT_HOME.value() == isolated_environment / ".prefect"


def test_without_the_fixture_no_server_is_configured() -> None:
    assert "PREFECT_API_URL" not in os.environ
    assert PREFECT_API_URL.value() is None
