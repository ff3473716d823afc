"""A Cancel pressed in the UI reaches a run of this process only if the process looks (docs/architecture.md)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx
from loguru import logger
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.context import FlowRunContext

from flows.flow_names import LABEL_PREFIX
from flows.local_engine import LocalEngine
from flows.prefect_clients import prefect_client
from flows.worker_states import read_runs_by_id

LOOK_SECONDS = 2.0
_CANCELLED = {StateType.CANCELLING, StateType.CANCELLED}


@asynccontextmanager
async def heed_cancellation(engine: LocalEngine) -> AsyncIterator[None]:
    """While inside, a cancelled worker's session is told to stop, and a cancelled batch stops the engine."""
    context = FlowRunContext.get()
    batch_run = context.flow_run.id if context and context.flow_run else None
    looking = asyncio.create_task(_look(engine, batch_run))
    try:
        yield
    finally:
        looking.cancel()


async def _look(engine: LocalEngine, batch_run: UUID | None) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        ids = [*engine.flow_run_ids(), *([batch_run] if batch_run else [])]
        if not ids:
            continue
        try:
            async with prefect_client() as client:
                runs = await read_runs_by_id(client, ids)
        except (httpx.HTTPError, OSError) as error:
            logger.debug("could not look for cancelled runs: {}", error)
            continue
        for run in runs:
            _heed(engine, run, batch_run)


def _heed(engine: LocalEngine, run: FlowRun, batch_run: UUID | None) -> None:
    if run.state is None or run.state.type not in _CANCELLED:
        return
    if run.id == batch_run:
        engine.stop("the batch was cancelled; run it again to go on")
        return
    session = engine.sessions.get(str(run.labels.get(f"{LABEL_PREFIX}worker_id", "")))
    if session is not None:
        session.stop.set("cancelled; run the batch again to go on", cancelled=True)
