"""Flow runs that this process makes and runs itself, at the least cost to client and server."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from prefect import Flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import FlowRunCreate
from prefect.client.schemas.objects import FlowRun
from prefect.results import aget_default_result_storage
from prefect.states import Pending, to_state_create

from flows.prefect_internals import unsaved_folder

F = TypeVar("F", bound=Flow[..., Any])

_flow_ids: dict[tuple[str, str], uuid.UUID] = {}


class NewRun(NamedTuple):
    """A flow run to make. `parameters` are JSON values; with an `idempotency_key` it is made at most once."""

    name: str
    parameters: Mapping[str, Any]
    tags: list[str]
    labels: Mapping[str, str] = MappingProxyType({})
    idempotency_key: str | None = None


async def create_flow_run(client: PrefectClient, flow: Flow[..., Any], new: NewRun) -> FlowRun:
    """A flow run, not begun: made now, or the one that the server has under its idempotency key.

    Prefect's own `create_flow_run` takes neither labels nor an idempotency key.
    """
    wanted = FlowRunCreate(
        flow_id=await _flow_id(client, flow),
        flow_version=flow.version,
        name=new.name,
        parameters=dict(new.parameters),
        state=to_state_create(Pending()),
        tags=new.tags,
        labels=dict(new.labels),
        idempotency_key=new.idempotency_key,
    )
    answer = await client.request("POST", "/flow_runs/", json=wanted.model_dump(mode="json"))
    return FlowRun.model_validate(answer.json())


async def _flow_id(client: PrefectClient, flow: Flow[..., Any]) -> uuid.UUID:
    known_as = (str(client.api_url), flow.name)
    if known_as not in _flow_ids:
        _flow_ids[known_as] = await client.create_flow(flow)
    return _flow_ids[known_as]


async def for_this_process(flow: F) -> F:
    """The flow, set up to be run here many times.

    Where its results go is asked once: Prefect asks the server at each run, with a new client and its TLS context,
    on the event loop. Parameters are values already, so they are not validated again.
    """
    storage = await aget_default_result_storage()
    place: Any = unsaved_folder(storage) or storage
    here = flow.with_options(result_storage=place, validate_parameters=False)
    # The hooks are for runs of deployments, and each writes two lines to a run's log.
    here.on_completion_hooks, here.on_failure_hooks = [], []
    here.on_cancellation_hooks, here.on_crashed_hooks = [], []
    return here  # type: ignore[return-value]
