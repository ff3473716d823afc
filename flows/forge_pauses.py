"""Waiting until a forge that is not to be asked now (its limit is used up, it told us to pause) may be asked again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from prefect import get_run_logger

from flows.local_engine import current_engine
from flows.worker_states import enter_state
from parallel_workers.errors import ForgeBusyError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.spec import TaskOrder

_SHORTEST_SECONDS = 0.1
"""A clock that is a little ahead of the forge's must not make us ask without a pause."""


async def wait_for_forge(order: TaskOrder, busy: ForgeBusyError) -> None:
    """Return when the forge may be asked again; until then the worker's state says what it waits for.

    Raises:
        StoppedError: the worker was told to stop meanwhile.
    """
    await _say(order, str(busy))
    left = (busy.until - datetime.now(UTC)).total_seconds()
    await current_engine().session(order).stop.race(asyncio.sleep(max(left, _SHORTEST_SECONDS)))
    await _say(order, "goes on: the forge may be asked again")


async def _say(order: TaskOrder, reason: str) -> None:
    session = current_engine().session(order)
    get_run_logger().info(reason)
    current_engine().state_changed(order, session.state, reason)
    if session.state is not WorkerState.UNKNOWN:  # that one would schedule the run anew
        await session.enter(enter_state(session.state, reason))
