"""A worker's turn in a process: its lock is held, and its order speaks of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from prefect import get_run_logger

from flows.forge_credentials import load_credentials
from flows.local_engine import LocalEngine, current_engine
from flows.wiring import RUNNER
from flows.worker_lock import hold_lock
from parallel_workers import messages
from parallel_workers.lifecycle import WorkerState
from parallel_workers.locations import data_folder
from parallel_workers.spec import TaskOrder


@asynccontextmanager
async def take_turn(order: TaskOrder) -> AsyncIterator[TaskOrder]:
    """The order with this machine's worktree path. Where nobody here has done so yet, the worker's lock is held.

    Raises:
        StoppedError: the worker was told to stop while another process on this machine was running it.
    """
    await load_credentials()
    here = _on_this_machine(order)
    engine, log = current_engine(), get_run_logger()
    if order.worker in engine.held:
        yield here
        return
    async with hold_turn(engine, here, lambda: log.warning("another process on this machine runs it; waiting")):
        yield here


def _on_this_machine(order: TaskOrder) -> TaskOrder:
    return order.model_copy(update={"worktree": str(Path(order.worktree).expanduser())})


@asynccontextmanager
async def hold_turn(engine: LocalEngine, order: TaskOrder, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the worker's lock for this engine; waits while another engine runs it, after calling `on_wait` once.

    Raises:
        StoppedError: the worker was told to stop while waiting.
    """
    async with hold_lock(order.worker, engine.session(order).stop, on_wait):
        engine.held.add(order.worker)
        try:
            await _end_leftovers(engine, order)
            yield
        finally:
            engine.held.discard(order.worker)


async def _end_leftovers(engine: LocalEngine, order: TaskOrder) -> None:
    """Nothing of an engine that was killed is at work in the worktree any more; with the lock held, none lives."""
    folder = data_folder().run(order.worker)
    ended = await asyncio.to_thread(RUNNER.end_leftovers, folder, order.worker)
    if ended is not None:
        engine.state_changed(order, WorkerState.UNKNOWN, messages.agent_left_behind(ended))
