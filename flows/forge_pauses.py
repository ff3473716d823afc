"""Calls to a forge that asks for a pause: they are made when it is over, and meanwhile the worker says why it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from prefect import get_run_logger

from flows.local_engine import current_engine
from flows.worker_states import enter_state
from parallel_workers.errors import ForgeBusyError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.spec import TaskOrder

T = TypeVar("T")


async def ask_forge(order: TaskOrder, state: WorkerState, call: Callable[[], T]) -> T:
    """What `call` answers, which may be made again; `state` is the worker's, and stays it.

    A limit is renewed within the hour: that is longer than a step is tried again, and no reason for a task to fail.

    Raises:
        StoppedError: the worker was told to stop while it waited.
    """
    session = current_engine().session(order)
    while True:
        try:
            return await asyncio.to_thread(call)
        except ForgeBusyError as busy:
            why, seconds = str(busy), (busy.until - datetime.now(UTC)).total_seconds()
        get_run_logger().info(why)
        current_engine().state_changed(order, state, why)
        await session.enter(enter_state(state, why))
        await session.stop.race(asyncio.sleep(max(seconds, 1.0)))
