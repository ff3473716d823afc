"""What a worker works with inside a flow: a thread of its own, its environment, and where its output goes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any, TypeVar

from flows.forge_credentials import without_secrets
from flows.local_engine import current_engine
from flows.wiring import workplace_of
from parallel_workers.adapters.agents.output import LineThrottle
from parallel_workers.errors import AgentFailedError, GateFailedError
from parallel_workers.locations import data_folder
from parallel_workers.prompts import worker_environment, worker_port
from parallel_workers.spec import TaskOrder
from parallel_workers.work import Bench

T = TypeVar("T")
Logger = logging.Logger | logging.LoggerAdapter[Any]

# An agent blocks its thread for hours, so agents must not use up asyncio's own few threads.
_AGENT_THREADS = ThreadPoolExecutor(max_workers=1000, thread_name_prefix="agent")


class ThreadedBench:
    """A bench whose work runs in a thread of its own and ends with the coroutine that waits for it."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """`work(*arguments, bench)` in an agent thread; when this is cancelled, the agent is ended first.

        Raises:
            AgentFailedError, GateFailedError: with what the agent or a gate said last, less what is secret: Prefect
                shows it.
        """
        run = asyncio.get_running_loop().run_in_executor(
            _AGENT_THREADS, lambda: copy_context().run(work, *arguments, self._bench)
        )
        try:
            return await asyncio.shield(run)
        except asyncio.CancelledError:
            self._bench.cancel.set()
            await asyncio.wait({run})
            raise
        except (AgentFailedError, GateFailedError) as error:
            raise type(error)(without_secrets(str(error))) from None


@asynccontextmanager
async def bench_for(order: TaskOrder, log: Logger) -> AsyncIterator[ThreadedBench]:
    """The bench of a worker: sanitised environment, and output that goes to the run's log and the observer."""
    engine = current_engine()
    folder = data_folder().run(order.worker)
    policy = (await engine.policy(order.policy_block)).to_policy()
    environment = worker_environment(order, os.environ, policy, folder / "prompt.md", worker_port(order.worker))
    throttled = LineThrottle(lambda line: log.info("%s", without_secrets(line)), folder / "agent.log")

    def on_line(line: str) -> None:
        """Every line to the observer, a bounded number, without secrets, to the run's log on the Prefect server."""
        engine.observer.output(order.task.id, line)
        throttled(line)

    workplace = workplace_of(order)
    stop = engine.session(order).stop.thread
    try:
        yield ThreadedBench(Bench(workplace.git, workplace.runner, environment, folder, on_line, stop))
    finally:
        throttled.close()
