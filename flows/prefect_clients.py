"""The client of a running flow, shared by everything that happens in it: one connection pool per engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect.client.orchestration import PrefectClient, get_client
from prefect.context import FlowRunContext


@asynccontextmanager
async def prefect_client() -> AsyncIterator[PrefectClient]:
    """The running flow's own client, or a new one outside of flows: one connection pool per engine."""
    context = FlowRunContext.get()
    if context is not None and isinstance(context.client, PrefectClient):
        yield context.client
    else:
        async with get_client() as client:
            yield client
