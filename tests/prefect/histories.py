"""What a worker's flow run went through, as the server tells it."""

from __future__ import annotations

from itertools import groupby
from uuid import UUID

from prefect.client.orchestration import get_client

from parallel_workers.lifecycle import WorkerState


async def states_of(flow_run_id: str) -> list[str]:
    """Worker states in order; the same twice in a row, with another message, counts once."""
    async with get_client() as client:
        states = await client.read_flow_run_states(UUID(flow_run_id))
    names = [state.name or "" for state in sorted(states, key=lambda state: state.timestamp)]
    return [name for name, _ in groupby(name for name in names if name in WorkerState.__members__)]
