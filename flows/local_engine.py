"""The workers of this process: what they share, who watches them, and how they are told to stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context, ContextVar
from typing import Any, TypeVar, cast
from uuid import UUID

import httpx
from loguru import logger
from prefect import Flow

from blocks.worktree_policy import WorktreePolicy
from flows.asked_once import AskedOnce
from flows.pull_request_watch import PullRequestWatch
from flows.remembered import Remembered
from flows.stop_signal import StopSignal
from flows.suspension import deployed_run
from flows.wiring import workplace_of
from parallel_workers.lifecycle import SLOT_STATES, WorkerState
from parallel_workers.progress import BatchOutcome, ProgressObserver, TaskOutcome
from parallel_workers.pull_requests import PullRequest
from parallel_workers.spec import BatchSpec, TaskOrder

F = TypeVar("F", bound=Flow[..., Any])


class SilentObserver:
    """A ProgressObserver for runs that nobody watches in this process."""

    def told(self, text: str) -> None:
        """Nobody is told."""

    def state_changed(self, task_id: str, state: WorkerState, reason: str) -> None:
        """Nobody is told."""

    def output(self, task_id: str, line: str) -> None:
        """Nobody is told."""

    def pull_request(self, task_id: str, number: int, url: str) -> None:
        """Nobody is told."""

    def ended(self, outcome: TaskOutcome) -> None:
        """Nobody is told."""


class WorkerSession:
    """One worker while this process runs it. Times are monotonic seconds."""

    def __init__(self, order: TaskOrder) -> None:
        self.order = order
        self.stop = StopSignal()
        self.begun_at = time.monotonic()
        self.state = WorkerState.UNKNOWN
        self.pull_request: PullRequest | None = None
        self.flow_run_id: UUID | None = None
        self.waiting_for = ""
        self.memory: Remembered | None = None
        self.has_room = True
        self.is_taken_up = False
        self.has_worked = False
        self._entering: asyncio.Task[None] | None = None

    async def enter(self, entering: Coroutine[Any, Any, None]) -> None:
        """Tell the server of a new state while work goes on; one after the other."""
        await self.entered()
        self._entering = asyncio.create_task(entering)

    async def entered(self) -> None:
        """Wait until the server knows the last state. If it could not be told, the next state, or the end, tells it."""
        telling, self._entering = self._entering, None
        if telling is None:
            return
        try:
            await telling
        except (httpx.HTTPError, OSError) as error:
            logger.warning("the Prefect server could not be told of a state: {}", error or type(error).__name__)


class LocalEngine:
    """Sessions of this process's workers, their observer, and one pull-request watch per repository.

    With `waits=False` a worker that would have to wait for its merge is let go of instead, in PR_OPEN. `held` are the
    workers whose lock this engine holds.
    """

    def __init__(self, observer: ProgressObserver | None = None, *, waits: bool = True) -> None:
        self.waits = waits
        self.held: set[str] = set()
        self.batch: BatchSpec | None = None
        self.max_workers: int | None = None
        self.observer: ProgressObserver = observer or SilentObserver()
        self.sessions: dict[str, WorkerSession] = {}
        self.changed = asyncio.Event()
        self.stopping = ""
        self.outcome: BatchOutcome | None = None
        self.outer_context: Context | None = None
        self._watches: dict[str, PullRequestWatch] = {}
        self._prepared: AskedOnce[Any] = AskedOnce()
        self._policies: AskedOnce[WorktreePolicy] = AskedOnce()
        self._limits: AskedOnce[frozenset[str]] = AskedOnce()
        self._met: set[tuple[str, str]] = set()

    async def prepared(self, flow: F, prepare: Callable[[F], Coroutine[Any, Any, F]]) -> F:
        """`flow` as `prepare` sets it up, done once for all workers of this engine."""
        return cast("F", await self._prepared.get(flow.name, lambda: prepare(flow)))

    def session(self, order: TaskOrder) -> WorkerSession:
        """The session of a worker, begun now if there is none."""
        session = self.sessions.setdefault(order.worker, WorkerSession(order))
        if self.stopping:
            session.stop.set(self.stopping)
        return session

    def end_session(self, order: TaskOrder) -> None:
        """The worker's run has ended."""
        self.sessions.pop(order.worker, None)
        self.changed.set()

    def flow_run_ids(self) -> list[UUID]:
        """The flow runs of the workers that this process runs now."""
        return [session.flow_run_id for session in self.sessions.values() if session.flow_run_id]

    def stop(self, reason: str) -> None:
        """Tell every worker of this process to stop; ones that begin later stop at once."""
        self.stopping = reason
        for session in list(self.sessions.values()):
            session.stop.set(reason)
        self.changed.set()

    def state_changed(self, order: TaskOrder, state: WorkerState, reason: str) -> None:
        """A worker of this process entered a state."""
        self.session(order).state = state
        self.observer.state_changed(order.task.id, state, reason)
        self.changed.set()

    @asynccontextmanager
    async def work_room(self, order: TaskOrder) -> AsyncIterator[None]:
        """Hold one of the batch's work slots in this process for a worker that goes back to work.

        It counts as at work from now on, so that no task that is new begins before it.

        Raises:
            StoppedError: the worker was told to stop while it waited.
        """
        session = self.session(order)
        session.state, session.has_room = WorkerState.WORKING, False
        try:
            await session.stop.race(self._until_room())
            session.has_room = True
            yield
        finally:
            session.has_room = True

    async def _until_room(self) -> None:
        while self.max_workers is not None and self._at_work() >= self.max_workers:
            await self.changed.wait()
            await asyncio.sleep(0)  # whoever else was told looks first and clears it

    def _at_work(self) -> int:
        return sum(session.has_room and session.state in SLOT_STATES for session in self.sessions.values())

    @asynccontextmanager
    async def in_review(self, order: TaskOrder, number: int) -> AsyncIterator[None]:
        """While inside, the worker's pull request takes its turn with the others of this process."""
        if not self.waits:
            yield
            return
        async with self.watch(order).following(number, order.merge):
            yield

    def watch(self, order: TaskOrder) -> PullRequestWatch:
        """The shared watch over the pull requests of the worker's repository."""
        if order.repository not in self._watches:
            forge = workplace_of(order).forge
            self._watches[order.repository] = PullRequestWatch(forge, order.poll_seconds)
        return self._watches[order.repository]

    async def policy(self, block: str | None) -> WorktreePolicy:
        """The WorktreePolicy block with this name, read once."""
        return await self._policies.get(block, lambda: WorktreePolicy.load_or_default(block))

    def meet(self, repository: str, names: Iterable[str]) -> int:
        """How many of these names are met for the first time in the repository."""
        new = {(repository, name.lower()) for name in names} - self._met
        self._met |= new
        return len(new)

    async def limits(self, read: Callable[[], Coroutine[Any, Any, frozenset[str]]]) -> frozenset[str]:
        """The names of the server's limits that hold for us, asked once; a limit made later holds for the next run."""
        return await self._limits.get("limits", read)


_current: ContextVar[LocalEngine | None] = ContextVar("local_engine", default=None)


@contextmanager
def use_engine(engine: LocalEngine) -> Iterator[LocalEngine]:
    """Make `engine` the one that flows started inside find."""
    token = _current.set(engine)
    try:
        yield engine
    finally:
        _current.reset(token)


def current_engine() -> LocalEngine:
    """The engine this flow runs in; a run that a Prefect worker started has one of its own and waits suspended."""
    engine = _current.get()
    if engine is None:
        engine = LocalEngine(waits=deployed_run() is None)
        _current.set(engine)
    return engine
