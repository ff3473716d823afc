"""Telling a worker to stop: seen by threads (agents) and by coroutines (waits) alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from parallel_workers.errors import StoppedError

T = TypeVar("T")


class StopSignal:
    """Set once, from the event loop's thread; never taken back."""

    def __init__(self) -> None:
        self.thread = threading.Event()
        self.reason = ""
        self.cancelled = False
        self._loop_side = asyncio.Event()

    def set(self, reason: str, *, cancelled: bool = False) -> None:
        """Stop whatever listens; `reason` becomes the worker's state message.

        `cancelled` says that this one worker was called off; without it the engine stops, and a worker that
        only waits for its merge keeps its state.
        """
        if not self.thread.is_set():
            self.reason = reason
            self.cancelled = cancelled
            self.thread.set()
            self._loop_side.set()

    def check(self) -> None:
        """Raise StoppedError once the signal is set."""
        if self.thread.is_set():
            raise StoppedError(self.reason)

    async def wait(self) -> None:
        """Return when the signal is set."""
        await self._loop_side.wait()

    async def race(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, or StoppedError as soon as the signal is set (`work` is cancelled then)."""
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._loop_side.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StoppedError(self.reason)
            return await task
        finally:
            for waiting in (task, stopped):
                waiting.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)
