"""Waiting for a merge: look, decide, act, until the pull request is merged or its worker has to go back to work."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, assert_never

import httpx
from loguru import logger
from prefect import get_run_logger
from prefect.exceptions import PrefectException

from flows.events import worker_event
from flows.forge_credentials import secret_values, without_secrets
from flows.limits import COMMENT, ENABLE, MERGE, UPDATE, forge_writes
from flows.local_engine import current_engine
from flows.peers import read_peers, read_rivals
from flows.pull_request_watch import Sight, Turn, sight_of
from flows.remembered import Remembered, recall, write_down
from flows.steps import step
from flows.wiring import workplace_of
from flows.worker_states import enter_state
from parallel_workers import messages
from parallel_workers.crash_points import reach
from parallel_workers.decisions.merge_decisions import (
    DisableAutoMerge,
    EnableAutoMerge,
    GiveUp,
    Merge,
    Merged,
    MergeDecision,
    MergeRules,
    Rework,
    ReworkKind,
    ReworkMemory,
    UpdateBranch,
    Wait,
)
from parallel_workers.decisions.merging import decide_merge, is_overdue
from parallel_workers.decisions.refusals import (
    NotYet,
    forget_handed_over,
    remember_handed_over,
    remember_not_yet,
    remember_refused_merge,
    remember_refused_update,
)
from parallel_workers.decisions.rework_memory import (
    remember_lasting_auto_merge,
    remember_refused_auto_merge,
)
from parallel_workers.errors import ForgeBusyError, ForgeError, StoppedError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.pull_request_snapshots import Mergeable, PullRequestSnapshot
from parallel_workers.pull_requests import MergeOutcome, PullRequest, PullRequestState
from parallel_workers.redaction import redact
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
    return MergeRules(order.merge, order.merge_method, order.rework_rounds, order.base_branch)


async def await_merge(order: TaskOrder, pull_request: PullRequest) -> Wakened:
    """See the pull request to its merge, or to the next rework.

    Raises:
        ForgeError: it was closed without being merged, or nobody merged it in time.
    """
    reach("wait.begun")
    memory = current_engine().session(order).memory or recall()
    wait = _MergeWait(order, pull_request, memory)
    unfinished = memory.unfinished_conflict(f"#{pull_request.number}")
    if unfinished is not None and pull_request.state is PullRequestState.OPEN:
        return Wakened(pull_request, rework=unfinished)
    if not current_engine().waits:
        return await wait.look_once()
    return await wait.to_end()


async def ask_person(order: TaskOrder, number: int, why: str, said: str = "") -> None:
    """Say on the pull request, once, that a person is needed; the worker goes on waiting.

    `why` and `said`, an agent's or a program's own words, may hold what others wrote: what is posted is without
    secrets, bounded, and nothing in it is markup.
    """
    session = current_engine().session(order)
    memory = session.memory or recall()
    if memory.has_asked:
        return
    await _comment(order, number, messages.asks_for_person(why, said, secret_values()))
    worker_event(order, "needs_human", redact(why, secret_values()))
    session.memory = memory.with_asked()
    await write_down(session.memory)


@step("ask-person")
async def _comment(order: TaskOrder, number: int, text: str) -> None:
    async with forge_writes(order, COMMENT):
        try:
            await asyncio.to_thread(workplace_of(order).forge.ask_for_human, number, text)
        except ForgeError as error:
            if error.transient:
                raise
            said = redact(str(error), secret_values())
            get_run_logger().warning("nobody was asked on #%s, only in the worker's state: %s", number, said)


class _MergeWait:
    """One worker's wait."""

    def __init__(self, order: TaskOrder, pull_request: PullRequest, memory: Remembered) -> None:
        self._order = order
        self._seen = pull_request
        self._session = current_engine().session(order)
        self._session.memory = memory
        self._forge = workplace_of(order).forge
        self._told, self._told_at = "", -_TELL_SECONDS
        self._busy_until = datetime.min.replace(tzinfo=UTC)
        self._begun_at, self._begun = datetime.now(UTC), asyncio.get_running_loop().time()

    async def look_once(self) -> Wakened:
        """For an engine that does not wait."""
        try:
            seen = await asyncio.to_thread(self._forge.look, (self._seen.number,), at_once=True)
        except ForgeError as error:
            return self._waits_out(error)
        sight = sight_of(self._seen.number, seen, {})
        hindered = sight._replace(waits_for_forge=self._forge.waits_for_forge(), hindrance=self._forge.hindrance())
        return await self._act_on(hindered)

    async def _front(self, snapshot: PullRequestSnapshot) -> int | None:
        """Whose turn it is now. Asked at the last moment: others decide on the same look, and take their turn.

        An engine knows the turns of its own workers. Those of other engines are read where a turn matters: here, for
        the first of this engine's.
        """
        engine, number = current_engine(), self._seen.number
        own_front = engine.watch(self._order).front_beside(number) if engine.waits else number
        if own_front != number or not (snapshot.is_behind or snapshot.mergeable is Mergeable.CONFLICTING):
            return own_front if engine.waits else None
        turns = await self._turns_beside(number)
        if turns.keys() == {number}:
            return number
        seen = await asyncio.to_thread(self._forge.look, tuple(turns))
        return sight_of(number, {**seen, number: snapshot}, turns).front

    async def _turns_beside(self, number: int) -> dict[int, Turn]:
        """All turns that count beside this one's. No worker waits in vain where the server does not answer."""
        if not current_engine().waits:
            own = Turn(self._order.merge, self._memory.has_taken_turn)
            return {**await read_peers(self._order), number: own}
        try:
            rivals = await read_rivals(self._order)
        except (httpx.HTTPError, PrefectException, OSError) as error:
            logger.warning("the turns of other engines are not known: {}", redact(str(error), secret_values()))
            rivals = {}
        return current_engine().watch(self._order).among(rivals)

    def _waits_out(self, error: ForgeError) -> Wakened:
        """What may go better later, a forge's limit above all, ends no wait."""
        if not error.transient:
            raise error
        self._busy_until = error.until if isinstance(error, ForgeBusyError) else self._busy_until
        return Wakened(self._seen, waiting_for=str(error))

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
        now = datetime.now(UTC)
        if sight.waits_for_forge or sight.snapshot is None or now < self._busy_until:
            told = sight.waits_for_forge or self._session.waiting_for
            return Wakened(self._seen, waiting_for=told or f"#{self._seen.number} is not to be seen yet")
        self._seen = sight.snapshot.pull_request
        try:
            wakened = await self._carry_on(sight.snapshot, sight.front)
        except ForgeError as error:
            wakened = self._waits_out(error)
        if not wakened.merged and wakened.rework is None and self._is_overdue():
            raise ForgeError(messages.overdue(self._order, self._seen.number))
        if sight.hindrance and wakened.waiting_for:
            return wakened._replace(waiting_for=f"{sight.hindrance}; {wakened.waiting_for}")
        return wakened

    async def _carry_on(self, snapshot: PullRequestSnapshot, seen_front: int | None) -> Wakened:
        await self._remember(self._memory.heeding(self._seen.labels))
        for _ in range(_DECISIONS_PER_LOOK):
            front = await self._front(snapshot) or seen_front
            decision = decide_merge(snapshot, rules_of(self._order), self._memory.memory, front, datetime.now(UTC))
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

    async def _note(self, memory: ReworkMemory) -> None:
        await self._remember(self._memory._replace(memory=memory))

    async def _note_not_yet(self, what: NotYet, head_sha: str, said: str) -> None:
        await self._note(remember_not_yet(self._memory.memory, what, head_sha, said, datetime.now(UTC)))

    async def _note_trial(self, decision: Merge | UpdateBranch) -> None:
        """For who wakes runs without a process: what was tried in vain is not tried at each of its looks."""
        if not current_engine().waits:
            await self._remember(self._memory.having_tried(decision, datetime.now(UTC).timestamp()))

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
            case _:
                return await self._ask_forge(decision, snapshot)

    async def _ask_forge(
        self, decision: UpdateBranch | EnableAutoMerge | DisableAutoMerge | Merge, snapshot: PullRequestSnapshot
    ) -> Wakened | PullRequestSnapshot:
        match decision:
            case UpdateBranch():
                return await self._update(decision)
            case EnableAutoMerge():
                return await self._hand_over(decision, snapshot)
            case DisableAutoMerge():
                return await self._stop_auto_merge(snapshot)
            case Merge():
                return await self._merge(decision, snapshot)
            case _:
                assert_never(decision)

    async def _wait(self, decision: Wait) -> Wakened:
        if decision.needs_human and not self._is_overdue():
            await ask_person(self._order, self._seen.number, decision.reason)
        return Wakened(self._seen, waiting_for=decision.reason)

    def _is_overdue(self) -> bool:
        """By the time that went by since this wait began: setting the clock meanwhile makes no pull request late."""
        gone_by = timedelta(seconds=asyncio.get_running_loop().time() - self._begun)
        return is_overdue(self._seen, self._order.review_timeout, self._begun_at + gone_by)

    async def _update(self, decision: UpdateBranch) -> Wakened:
        current_engine().watch(self._order).take_turn(self._seen.number)
        await self._note_trial(decision)
        async with forge_writes(self._order, UPDATE):
            refused = await asyncio.to_thread(self._forge.update_branch, self._seen.number, decision.head_sha)
        get_run_logger().info("%s: %s", decision.reason, refused or "its branch was updated")
        if not refused:
            await self._note_not_yet(NotYet.UPDATE, decision.head_sha, "its branch was updated")
            return Wakened(self._seen, waiting_for=f"{decision.reason}; its branch was updated")
        said = redact(refused, secret_values())
        await self._note(remember_refused_update(self._memory.memory, decision.head_sha, said))
        return Wakened(self._seen, waiting_for=said)

    async def _stop_auto_merge(self, snapshot: PullRequestSnapshot) -> PullRequestSnapshot:
        """The snapshot as it is once the forge does not merge by itself; what it refuses is not asked for again."""
        async with forge_writes(self._order, ENABLE):
            refused = await asyncio.to_thread(self._forge.disable_auto_merge, self._seen.number)
        if not refused:
            await self._note(forget_handed_over(self._memory.memory))
            return snapshot._replace(is_auto_merging=False)
        said = redact(refused, secret_values())
        get_run_logger().warning("the forge goes on to merge #%s by itself: %s", self._seen.number, said)
        await self._note(remember_lasting_auto_merge(self._memory.memory, snapshot.pull_request.head_sha))
        return snapshot

    async def _hand_over(
        self, decision: EnableAutoMerge, snapshot: PullRequestSnapshot
    ) -> Wakened | PullRequestSnapshot:
        async with forge_writes(self._order, ENABLE):
            refused = await asyncio.to_thread(
                self._forge.enable_auto_merge, self._seen.number, decision.method, decision.head_sha
            )
        if not refused:
            await self._note(remember_handed_over(self._memory.memory, decision.head_sha, datetime.now(UTC)))
            return Wakened(self._seen, waiting_for=decision.reason)
        said = redact(refused, secret_values())
        get_run_logger().info("the forge does not merge #%s by itself: %s", self._seen.number, said)
        if decision.to_queue:
            await self._note_not_yet(NotYet.QUEUE, decision.head_sha, said)
        else:
            await self._note(remember_refused_auto_merge(self._memory.memory, decision.head_sha))
        return snapshot

    async def _merge(self, decision: Merge, snapshot: PullRequestSnapshot) -> Wakened | PullRequestSnapshot:
        await self._note_trial(decision)
        async with forge_writes(self._order, MERGE):
            reach("merge.decided")
            attempt = await asyncio.to_thread(
                self._forge.merge_pull_request, self._seen.number, decision.method, decision.head_sha
            )
        match attempt.outcome:
            case MergeOutcome.MERGED:
                return Wakened(attempt.pull_request, merged=True)
            case MergeOutcome.CLOSED:
                raise ForgeError(attempt.reason)
            case MergeOutcome.WAIT:
                said = redact(attempt.reason, secret_values())
                if attempt.is_not_yet:
                    await self._note_not_yet(NotYet.MERGE, decision.head_sha, said)
                return Wakened(self._seen, waiting_for=said)
            case MergeOutcome.REFUSED:
                said = redact(attempt.reason, secret_values())
                await self._note(remember_refused_merge(self._memory.memory, decision.head_sha, said))
                return snapshot if attempt.needs_queue else Wakened(self._seen, waiting_for=said)
            case MergeOutcome.CONFLICT:
                return snapshot._replace(mergeable=Mergeable.CONFLICTING)
            case _:
                assert_never(attempt.outcome)

    async def _say_why(self, reason: str) -> None:
        """Tell what is waited for: at once to who watches; to the server, in log and state, not more than so often.

        A hundred that wait for their turn have a new reason at each merge of another.
        """
        reason = without_secrets(reason)
        if self._session.waiting_for != reason:
            self._session.waiting_for = reason
            current_engine().state_changed(self._order, WorkerState.PR_OPEN, reason)
        now = asyncio.get_running_loop().time()
        if self._told != reason and now - self._told_at >= _TELL_SECONDS:
            self._told, self._told_at = reason, now
            get_run_logger().info(reason)
            await self._session.enter(enter_state(WorkerState.PR_OPEN, reason))
