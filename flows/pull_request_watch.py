"""One look at the open pull requests of a repository, shared by every worker of this process that waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from loguru import logger

from flows.pull_request_events import Alarm
from parallel_workers.decisions.front import decide_front
from parallel_workers.decisions.polling import decide_pause
from parallel_workers.ports import Forge
from parallel_workers.pull_request_snapshots import PullRequestSnapshot
from parallel_workers.spec import MergePolicy

_SHORTEST_PAUSE = 0.2
"""Of the interval: who cannot wait for the next look waits so long, so that many who come together share one."""


class Sight(NamedTuple):
    """What a look showed of one pull request. `front` is whose turn it is on its base.

    While the forge is not asked, or does not answer, `waits_for_forge` says why; the rest is as it was seen last.
    `hindrance` says why a look tells less or later than it should.
    """

    snapshot: PullRequestSnapshot | None
    front: int | None
    waits_for_forge: str = ""
    hindrance: str = ""


class Turn(NamedTuple):
    """What counts when it is decided whose turn it is. `is_taken`: it was brought up to date with its base before."""

    policy: MergePolicy
    is_taken: bool = False


def sight_of(number: int, seen: Mapping[int, PullRequestSnapshot], turns: Mapping[int, Turn]) -> Sight:
    """What `seen` says about one pull request; `turns` are those of all that take turns with it, by number.

    Whoever has taken its turn keeps it until it is merged, or something else stands in its way: one with a lower number
    that comes later would otherwise be updated too, and then again.
    """
    snapshot = seen.get(number)
    if snapshot is None:
        return Sight(None, None)
    base = snapshot.pull_request.base_branch
    ours = {each: turn for each, turn in turns.items() if each in seen and turn.policy is MergePolicy.AUTO}
    now = datetime.now(UTC)
    taken = decide_front((seen[each] for each, turn in ours.items() if turn.is_taken), now)
    return Sight(snapshot, taken.get(base) or decide_front((seen[each] for each in ours), now).get(base))


class PullRequestWatch:
    """Looks at one forge while anybody waits; a hundred waiting workers cost one look per interval.

    Slower while nothing changes; at once when an event says that a pull request has moved.
    """

    def __init__(self, forge: Forge, poll_seconds: float) -> None:
        self._forge = forge
        self._poll_seconds = poll_seconds
        self._followed: dict[int, Turn] = {}
        self._waiting: set[int] = set()
        self._seen: Mapping[int, PullRequestSnapshot] = {}
        self._waits_for_forge = self._hindrance = ""
        self._quiet_looks = 0
        self._looked = asyncio.Condition()
        self._soon = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def following(self, number: int, policy: MergePolicy) -> AsyncIterator[None]:
        """While inside, the pull request takes its turn with the others, also while its worker is back at work."""
        self._followed[number] = Turn(policy)
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            self._followed.pop(number, None)
            self._quiet_looks = 0
            self._soon.set()  # its turn is over
            if not self._followed and self._polling is not None:
                # let go of it first: who begins to follow while it ends must start another
                polling, self._polling = self._polling, None
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)

    def front_beside(self, number: int) -> int | None:
        """Whose turn it is now on the base of this pull request, by the last look and what was taken since."""
        return sight_of(number, self._seen, self._followed).front

    def among(self, rivals: Mapping[int, Turn]) -> dict[int, Turn]:
        """The turns of those followed here and of the `rivals`: who took a turn has it, whoever knows of it."""
        turns = {**rivals, **self._followed}
        for number in rivals.keys() & self._followed.keys():
            is_taken = rivals[number].is_taken or self._followed[number].is_taken
            turns[number] = self._followed[number]._replace(is_taken=is_taken)
        return turns

    def take_turn(self, number: int) -> None:
        """The pull request is being brought up to date with its base."""
        if number in self._followed:
            self._followed[number] = self._followed[number]._replace(is_taken=True)

    async def next_look(self, number: int, *, soon: bool = False) -> Sight:
        """The pull request as the next look finds it; only inside `following`. `soon` does not wait the interval."""
        self._waiting.add(number)
        if soon:
            self._soon.set()
        try:
            async with self._looked:
                while True:
                    await self._looked.wait()
                    sight = sight_of(number, self._seen, self._followed)
                    if self._waits_for_forge or sight.snapshot is not None:
                        return sight._replace(waits_for_forge=self._waits_for_forge, hindrance=self._hindrance)
        finally:
            self._waiting.discard(number)

    async def _poll(self) -> None:
        async with Alarm() as alarm:
            while True:
                await self._pause(alarm)
                if self._waiting:
                    await self._look(at_once=alarm.has_rung)
                    alarm.clear()

    async def _pause(self, alarm: Alarm) -> None:
        begun = asyncio.get_running_loop().time()
        await alarm.wait(self._soon, decide_pause(self._poll_seconds, self._quiet_looks))
        self._soon.clear()
        left = begun + self._poll_seconds * _SHORTEST_PAUSE - asyncio.get_running_loop().time()
        if left > 0 and not alarm.has_rung:
            await asyncio.sleep(left)

    async def _look(self, *, at_once: bool) -> None:
        """Look at all pull requests that are waited for and tell everybody: of a failed look, why it failed."""
        failed = ""
        try:
            seen = await asyncio.to_thread(self._forge.look, tuple(self._followed), at_once=at_once)
        except Exception as error:  # noqa: BLE001 - a look that fails must not end everybody's wait
            failed = f"could not look at the pull requests: {error or type(error).__name__}"
            logger.warning("{}", failed)
            seen = self._seen
        async with self._looked:
            self._waits_for_forge = self._forge.waits_for_forge() or failed
            self._hindrance = self._forge.hindrance()
            self._quiet_looks = self._quiet_looks + 1 if seen == self._seen else 0
            self._seen = seen
            self._looked.notify_all()
