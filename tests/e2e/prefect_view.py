"""What the product's Prefect server knows, read with Prefect's own client as `prefect flow-run ls` does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from tests.e2e.product import Product

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import Artifact, FlowRun, State, TaskRun

T = TypeVar("T")


def ask(product: Product, question: Callable[[PrefectClient], Awaitable[T]]) -> T:
    """The answer of the embedded server; Prefect is imported only now, when the test's HOME stands."""
    assert os.environ["PREFECT_HOME"]
    from prefect.client.orchestration import PrefectClient

    address = product.call("up", "--server-only").stdout.strip()

    async def answer() -> T:
        async with PrefectClient(f"{address}/api") as client:
            return await question(client)

    return asyncio.run(answer())


def read_run(product: Product, flow_run_id: str) -> FlowRun:
    """The flow run."""
    return ask(product, lambda client: client.read_flow_run(UUID(flow_run_id)))


def read_states(product: Product, flow_run_id: str) -> list[State]:
    """Its states, oldest first."""
    states = ask(product, lambda client: client.read_flow_run_states(UUID(flow_run_id)))
    return sorted(states, key=lambda state: state.timestamp)


def read_task_runs(product: Product, flow_run_id: str) -> list[TaskRun]:
    """Its steps."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[UUID(flow_run_id)]))
    return ask(product, lambda client: client.read_task_runs(flow_run_filter=chosen))


def read_artifacts(product: Product, flow_run_id: str) -> list[Artifact]:
    """What it left to look at."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(flow_run_id)]))
    return ask(product, lambda client: client.read_artifacts(artifact_filter=chosen))


def read_logs(product: Product, flow_run_id: str) -> list[str]:
    """What it said."""
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    chosen = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[UUID(flow_run_id)]))
    return [line.message for line in ask(product, lambda client: client.read_logs(chosen))]


def read_batch_runs(product: Product, batch: str) -> list[FlowRun]:
    """The flow runs of the batch itself."""
    runs = ask(product, lambda client: client.read_flow_runs())
    return [run for run in runs if run.name == f"batch {batch}"]
