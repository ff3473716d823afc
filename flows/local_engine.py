"""The workers of this process: what they share, who watches them, and how they are told to stop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import PrefectClient

from blocks.worktree_policy import WorktreePolicy
from flows.prefect_clients import prefect_client
from flows.pull_request_watch import PullRequestWatch
from flows.stop_signal import StopSignal
from flows.suspension import deployed_run
from flows.wiring import open_workplace
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import BatchOutcome, ProgressObserver, TaskOutcome
from parallel_workers.pull_requests import PullRequest
from parallel_workers.spec import BatchSpec, TaskOrder

F = TypeVar("F", bound=Flow[..., Any])


class SilentObserver:
    """A ProgressObserver for runs that nobody watches in this process."""

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
        self._entering: asyncio.Task[None] | None = None

    async def enter(self, entering: Coroutine[Any, Any, None]) -> None:
        """Tell the server of a new state while work goes on; one after the other."""
        await self.entered()
        self._entering = asyncio.create_task(entering)

    async def entered(self) -> None:
        """Wait until the server knows the last state; raises what telling it raised."""
        telling, self._entering = self._entering, None
        if telling is not None:
            await telling


class LocalEngine:
    """Sessions of this process's workers, their observer, and one pull-request watch per repository.

    With `waits=False` a worker that would have to wait for its merge is let go of instead, in PR_OPEN. `held` are the
    workers whose lock this engine holds.
    """

    def __init__(self, observer: ProgressObserver | None = None, *, waits: bool = True) -> None:
        self.waits = waits
        self.held: set[str] = set()
        self.batch: BatchSpec | None = None
        self.observer: ProgressObserver = observer or SilentObserver()
        self.sessions: dict[str, WorkerSession] = {}
        self.changed = asyncio.Event()
        self.stopping = ""
        self.outcome: BatchOutcome | None = None
        self.outer_context: Context | None = None
        self._watches: dict[str, PullRequestWatch] = {}
        self._prepared: dict[str, asyncio.Future[Any]] = {}
        self._policies: dict[str | None, asyncio.Task[WorktreePolicy]] = {}
        self._limits: asyncio.Task[frozenset[str]] | None = None

    async def prepared(self, flow: F, prepare: Callable[[F], Awaitable[F]]) -> F:
        """`flow` as `prepare` sets it up, done once for all workers of this engine."""
        if flow.name not in self._prepared:
            self._prepared[flow.name] = asyncio.ensure_future(prepare(flow))
        return cast("F", await self._prepared[flow.name])

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

    def watch(self, order: TaskOrder) -> PullRequestWatch:
        """The shared watch over the pull requests of the worker's repository."""
        if order.repository not in self._watches:
            forge = open_workplace(order.repository).forge
            self._watches[order.repository] = PullRequestWatch(forge, order.poll_seconds)
        return self._watches[order.repository]

    async def policy(self, block: str | None) -> WorktreePolicy:
        """The WorktreePolicy block with this name, read once."""
        if block not in self._policies:
            self._policies[block] = asyncio.create_task(WorktreePolicy.load_or_default(block))
        return await self._policies[block]

    async def limits(self, read: Callable[[PrefectClient], Awaitable[frozenset[str]]]) -> frozenset[str]:
        """The names of the server's limits that hold for us, asked once; a limit made later holds for the next run."""
        if self._limits is None:
            self._limits = asyncio.ensure_future(_with_client(read))
        return await self._limits


async def _with_client(ask: Callable[[PrefectClient], Awaitable[frozenset[str]]]) -> frozenset[str]:
    async with prefect_client() as client:
        return await ask(client)


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
