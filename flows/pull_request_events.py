"""Listens for events that say a pull request has moved, so that nobody has to wait for the next look."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from loguru import logger
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter

from flows.flow_names import PULL_REQUEST_EVENT

_RECONNECT_SECONDS = 10.0


class Alarm:
    """Rings when a `parallel-workers.pull-request.*` event reaches the Prefect server. Without one, time passes."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    @property
    def has_rung(self) -> bool:
        """Whether it rang since it was cleared."""
        return self._rung.is_set()

    def clear(self) -> None:
        """What has rung until now is heard."""
        self._rung.clear()

    async def wait(self, stop: asyncio.Event, seconds: float) -> None:
        """Return when it rings, when `stop` is set, or after `seconds`."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._rung, stop)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in waits:
                waiting.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _listen(self) -> None:
        """A server that cannot be listened to costs promptness only: the looks go on."""
        moved = EventFilter(event=EventNameFilter(prefix=[PULL_REQUEST_EVENT]))
        while True:
            with suppress(asyncio.TimeoutError):
                try:
                    async with get_events_subscriber(filter=moved) as subscriber:
                        async for event in subscriber:
                            logger.debug("woken by {}", event.event)
                            self._rung.set()
                except Exception as error:  # noqa: BLE001 - whatever a websocket may raise
                    logger.debug("cannot listen for events: {}", error)
            await asyncio.sleep(_RECONNECT_SECONDS)
