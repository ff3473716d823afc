"""One look at all open pull requests of a repository, shared by every worker of this process that waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loguru import logger

from parallel_workers.ports import Forge
from parallel_workers.pull_requests import PullRequest


class PullRequestWatch:
    """Polls one forge while anybody waits; a hundred waiting workers cost one look per interval."""

    def __init__(self, forge: Forge, poll_seconds: float) -> None:
        self._forge = forge
        self._poll_seconds = poll_seconds
        self._waiters = 0
        self._seen: dict[int, PullRequest] = {}
        self._looked = asyncio.Condition()
        self._polling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """While inside, this watch looks every interval; `next_look` answers what it saw."""
        self._waiters += 1
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            self._waiters -= 1
            if not self._waiters and self._polling is not None:
                self._polling.cancel()
                self._polling = None

    async def next_look(self, number: int) -> PullRequest:
        """The pull request as the next look finds it; only inside `following`."""
        async with self._looked:
            while True:
                await self._looked.wait()
                if number in self._seen:
                    return self._seen[number]

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            await self.look()

    async def look(self) -> tuple[PullRequest, ...]:
        """Look at all pull requests once and tell everybody who waits. A failed look is only logged."""
        try:
            found = await asyncio.to_thread(self._forge.fetch_pull_requests, include_ended=True)
        except Exception as error:  # noqa: BLE001 - a look that fails must not end everybody's wait
            logger.warning("could not look at the pull requests: {}", error)
            return ()
        async with self._looked:
            self._seen = {pull_request.number: pull_request for pull_request in found}
            self._looked.notify_all()
        return found
