"""Waiting for a merge: look, decide, act, until the pull request is merged or its worker has to go back to work."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import NamedTuple, assert_never

from prefect import get_run_logger

from flows.events import worker_event
from flows.limits import COMMENT, ENABLE, MERGE, UPDATE, forge_writes
from flows.local_engine import current_engine
from flows.peers import read_peers
from flows.pull_request_watch import Sight, Turn, sight_of
from flows.remembered import Remembered, recall, write_down
from flows.wiring import workplace_of
from flows.worker_states import enter_state
from parallel_workers import messages
from parallel_workers.decisions.merge_decisions import (
    EnableAutoMerge,
    GiveUp,
    Merge,
    Merged,
    MergeDecision,
    MergeRules,
    Rework,
    ReworkKind,
    UpdateBranch,
    Wait,
)
from parallel_workers.decisions.merging import decide_merge, is_overdue
from parallel_workers.decisions.rework_memory import remember_refused_auto_merge
from parallel_workers.errors import ForgeError, StoppedError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.pull_request_snapshots import Mergeable, PullRequestSnapshot
from parallel_workers.pull_requests import MergeOutcome, PullRequest, PullRequestState
from parallel_workers.spec import TaskOrder

_DECISIONS_PER_LOOK = 3
"""An answer of the forge (a conflict, no merging by itself) may ask for another decision on the same look."""

_TELL_SECONDS = 30.0


class Wakened(NamedTuple):
    """How a merge-wait ended: merged, with work to do, or, when nobody waits here, with what it still waits for."""

    seen: PullRequest
    merged: bool = False
    rework: Rework | None = None
    waiting_for: str = ""


def rules_of(order: TaskOrder) -> MergeRules:
    """The rules that the worker's pull request is decided by."""
    return MergeRules(order.merge, order.merge_method, order.rework_rounds)


async def await_merge(order: TaskOrder, pull_request: PullRequest) -> Wakened:
    """See the pull request to its merge, or to the next rework.

    Raises:
        ForgeError: it was closed without being merged, or nobody merged it in time.
    """
    memory = current_engine().session(order).memory or recall()
    wait = _MergeWait(order, pull_request, memory)
    unfinished = memory.unfinished_conflict(f"#{pull_request.number}")
    if unfinished is not None and pull_request.state is PullRequestState.OPEN:
        return Wakened(pull_request, rework=unfinished)
    if not current_engine().waits:
        return await wait.look_once()
    return await wait.to_end()


async def ask_person(order: TaskOrder, number: int, why: str) -> None:
    """Say on the pull request, once, that a person is needed; the worker goes on waiting."""
    session = current_engine().session(order)
    memory = session.memory or recall()
    if memory.has_asked:
        return
    async with forge_writes(order, COMMENT):
        await asyncio.to_thread(workplace_of(order).forge.ask_for_human, number, why)
    worker_event(order, "needs_human", why)
    session.memory = memory.with_asked()
    await write_down(session.memory)


class _MergeWait:
    """One worker's wait."""

    def __init__(self, order: TaskOrder, pull_request: PullRequest, memory: Remembered) -> None:
        self._order = order
        self._seen = pull_request
        self._session = current_engine().session(order)
        self._session.memory = memory
        self._forge = workplace_of(order).forge
        self._told, self._told_at = "", -_TELL_SECONDS

    async def look_once(self) -> Wakened:
        """For an engine that does not wait."""
        number = self._seen.number
        own = Turn(self._order.merge, self._memory.has_taken_turn)
        peers = {**await read_peers(self._order), number: own}
        seen = await asyncio.to_thread(self._forge.look, tuple(peers), at_once=True)
        return await self._act_on(sight_of(number, seen, peers)._replace(waits_for_forge=self._forge.waits_for_forge()))

    async def to_end(self) -> Wakened:
        """Look on with everybody else who waits, until there is something else to do than wait."""
        watch, soon = current_engine().watch(self._order), True
        self._session.waiting_for = ""
        while True:
            try:
                sight = await self._session.stop.race(watch.next_look(self._seen.number, soon=soon))
            except StoppedError as stopped:
                return Wakened(self._seen, waiting_for=str(stopped))
            wakened = await self._act_on(sight)
            if wakened.merged or wakened.rework is not None:
                return wakened
            soon = False
            await self._say_why(wakened.waiting_for)

    async def _act_on(self, sight: Sight) -> Wakened:
        if sight.waits_for_forge or sight.snapshot is None:
            return Wakened(
                self._seen, waiting_for=sight.waits_for_forge or f"#{self._seen.number} is not to be seen yet"
            )
        snapshot = sight.snapshot
        self._seen = snapshot.pull_request
        await self._remember(self._memory.heeding(self._seen.labels))
        for _ in range(_DECISIONS_PER_LOOK):
            # asked at the last moment: others decide on the same look, and take their turn
            front = current_engine().watch(self._order).front_beside(self._seen.number) or sight.front
            decision = decide_merge(snapshot, rules_of(self._order), self._memory.memory, front)
            answer = await self._carry_out(decision, snapshot)
            if isinstance(answer, Wakened):
                return answer
            snapshot = answer
        return Wakened(self._seen, waiting_for=decision.reason)

    @property
    def _memory(self) -> Remembered:
        return self._session.memory or Remembered()

    async def _remember(self, memory: Remembered) -> None:
        if memory != self._memory:
            self._session.memory = memory
            await write_down(memory)

    async def _carry_out(self, decision: MergeDecision, snapshot: PullRequestSnapshot) -> Wakened | PullRequestSnapshot:
        """What came of it; or what is known now, to decide again."""
        match decision:
            case Merged():
                return Wakened(self._seen, merged=True)
            case GiveUp(reason=reason):
                raise ForgeError(reason)
            case Rework():
                if decision.kind is ReworkKind.CONFLICT:
                    current_engine().watch(self._order).take_turn(self._seen.number)
                return Wakened(self._seen, rework=decision)
            case Wait():
                return await self._wait(decision)
            case UpdateBranch(head_sha=head_sha, reason=reason):
                current_engine().watch(self._order).take_turn(self._seen.number)
                async with forge_writes(self._order, UPDATE):
                    refused = await asyncio.to_thread(self._forge.update_branch, self._seen.number, head_sha)
                get_run_logger().info("%s: %s", reason, refused or "its branch was updated")
                return Wakened(self._seen, waiting_for=refused or f"{reason}; its branch was updated")
            case EnableAutoMerge():
                return await self._hand_over(decision, snapshot)
            case Merge():
                return await self._merge(decision, snapshot)
            case _:
                assert_never(decision)

    async def _wait(self, decision: Wait) -> Wakened:
        if is_overdue(self._seen, self._order.review_timeout, datetime.now(UTC)):
            raise ForgeError(messages.overdue(self._order, self._seen.number))
        if decision.needs_human:
            await ask_person(self._order, self._seen.number, decision.reason)
        return Wakened(self._seen, waiting_for=decision.reason)

    async def _hand_over(
        self, decision: EnableAutoMerge, snapshot: PullRequestSnapshot
    ) -> Wakened | PullRequestSnapshot:
        async with forge_writes(self._order, ENABLE):
            refused = await asyncio.to_thread(
                self._forge.enable_auto_merge, self._seen.number, decision.method, decision.head_sha
            )
        if not refused:
            return Wakened(self._seen, waiting_for=decision.reason)
        get_run_logger().info("the forge does not merge #%s by itself: %s", self._seen.number, refused)
        memory = remember_refused_auto_merge(self._memory.memory, decision.head_sha)
        await self._remember(self._memory._replace(memory=memory))
        return snapshot

    async def _merge(self, decision: Merge, snapshot: PullRequestSnapshot) -> Wakened | PullRequestSnapshot:
        async with forge_writes(self._order, MERGE):
            attempt = await asyncio.to_thread(
                self._forge.merge_pull_request, self._seen.number, decision.method, decision.head_sha
            )
        match attempt.outcome:
            case MergeOutcome.MERGED:
                return Wakened(attempt.pull_request, merged=True)
            case MergeOutcome.CLOSED:
                raise ForgeError(attempt.reason)
            case MergeOutcome.WAIT | MergeOutcome.REFUSED:
                return Wakened(self._seen, waiting_for=attempt.reason)
            case MergeOutcome.CONFLICT:
                return snapshot._replace(mergeable=Mergeable.CONFLICTING)
            case _:
                assert_never(attempt.outcome)

    async def _say_why(self, reason: str) -> None:
        """Tell what is waited for: at once to who watches; to the server, in log and state, not more than so often.

        A hundred that wait for their turn have a new reason at each merge of another.
        """
        if self._session.waiting_for != reason:
            self._session.waiting_for = reason
            current_engine().state_changed(self._order, WorkerState.PR_OPEN, reason)
        now = asyncio.get_running_loop().time()
        if self._told != reason and now - self._told_at >= _TELL_SECONDS:
            self._told, self._told_at = reason, now
            get_run_logger().info(reason)
            await self._session.enter(enter_state(WorkerState.PR_OPEN, reason))
