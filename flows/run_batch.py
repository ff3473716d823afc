"""A batch's DAG of implement-task runs: starts what may start, waits until something changed, tells how it ended."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.context import AsyncClientContext
from prefect.flow_engine import run_flow_async
from prefect.states import Cancelled, Completed, Failed

from flows.artifacts import publish_table
from flows.cancellation import heed_cancellation
from flows.flow_runs import NewRun, create_flow_run, for_this_process
from flows.local_engine import LocalEngine, current_engine, use_engine
from flows.wiring import open_workplace
from flows.worker_runs import run_worker
from flows.worker_states import PRODUCT_TAG, prefect_client
from parallel_workers.decisions.scheduling import Schedule, decide_schedule
from parallel_workers.errors import ParallelWorkersError
from parallel_workers.lifecycle import SLOT_STATES, WorkerState
from parallel_workers.profile_texts import fill_instructions
from parallel_workers.progress import BatchOutcome, ProgressObserver, TaskOutcome, TaskProgress
from parallel_workers.settings import SETTINGS_FILE, apply_settings, parse_settings, resolve_orders
from parallel_workers.spec import BatchSpec, TaskOrder

_PROGRESS_OF_RESULT = {
    "merged": TaskProgress.DONE,
    "no_change": TaskProgress.DONE,
    "failed": TaskProgress.FAILED,
    "cancelled": TaskProgress.FAILED,
}


class RunOptions(NamedTuple):
    """What the person who starts a batch may set beside the batch file. Seconds."""

    worktree_root: str | None = None
    policy_block: str | None = None
    poll_seconds: float = 5.0
    max_workers: int | None = None


async def carry_out(
    batch: BatchSpec,
    *,
    observer: ProgressObserver | None = None,
    stop: asyncio.Event | None = None,
    options: RunOptions | None = None,
) -> BatchOutcome:
    """Run a whole batch in this process until every task is merged or given up.

    When `stop` is set, agents are ended, state and work are kept, and the outcome has cancelled tasks.

    Raises:
        ParallelWorkersError: the batch cannot begin (repository, base branch, settings, block).
    """
    options = options or RunOptions()
    if options.max_workers is not None:
        batch = batch.model_copy(update={"max_workers": options.max_workers})
    engine = LocalEngine(observer)
    stopper = asyncio.create_task(_stop_when(engine, stop)) if stop else None
    try:
        with use_engine(engine):
            async with AsyncClientContext.get_or_create():
                # Workers are flow runs of their own, not subflows: they start in the context as it is out here.
                engine.outer_context = contextvars.copy_context()
                state = await _run_here(batch, options)
    finally:
        if stopper is not None:
            stopper.cancel()
    if engine.outcome is None:
        await state.aresult()
        raise ParallelWorkersError(state.message or "the batch could not begin")
    return engine.outcome


async def _run_here(batch: BatchSpec, options: RunOptions) -> State[object]:
    """Run the batch as a flow run of this process; its final state."""
    chosen = {
        "worktree_root": options.worktree_root,
        "policy_block": options.policy_block,
        "poll_seconds": options.poll_seconds,
    }
    new = NewRun(
        name=f"batch {batch.name}",
        parameters={"batch": batch.model_dump(mode="json"), **chosen},
        tags=[PRODUCT_TAG, f"project:{batch.project}"],
    )
    async with prefect_client() as client:
        run = await create_flow_run(client, run_batch, new)
    flow = await for_this_process(run_batch)
    state = await run_flow_async(flow, flow_run=run, parameters={"batch": batch, **chosen}, return_type="state")
    assert isinstance(state, State)  # noqa: S101 - what return_type="state" means
    return state


async def _stop_when(engine: LocalEngine, stop: asyncio.Event) -> None:
    await stop.wait()
    engine.stop("stopped by the user; run the batch again to go on")


@flow(name="run-batch")
async def run_batch(
    batch: BatchSpec, worktree_root: str | None = None, policy_block: str | None = None, poll_seconds: float = 5.0
) -> State[object]:
    """Carry out every task of a batch in dependency order, at most `max_workers` at work at once."""
    engine = current_engine()
    batch, orders = await prepare_orders(batch, worktree_root, policy_block, poll_seconds)
    run = _BatchRun(engine, batch, orders)
    async with heed_cancellation(engine):
        await run.to_end()
    engine.outcome = run.outcome()
    await publish_table(engine.outcome)
    return _final_state(engine, engine.outcome)


async def prepare_orders(
    batch: BatchSpec, worktree_root: str | None, policy_block: str | None, poll_seconds: float
) -> tuple[BatchSpec, tuple[TaskOrder, ...]]:
    """The batch and its workers' orders, resolved: batch over repository settings (of the base branch) over block."""
    git = (await asyncio.to_thread(open_workplace, batch.repository)).git
    base_sha = await asyncio.to_thread(git.fetch_base, batch.base_branch)
    text = await asyncio.to_thread(git.read_base_file, base_sha, SETTINGS_FILE)
    settings = parse_settings(text or "", f"{batch.base_branch}:{SETTINGS_FILE}")
    block = policy_block or settings.worktree_policy
    root = (await current_engine().policy(block)).resolved_root()
    if worktree_root:
        root = await asyncio.to_thread(lambda: Path(worktree_root).expanduser().absolute())
    orders = resolve_orders(batch, settings, git, root, poll_seconds, block)
    orders = await asyncio.to_thread(fill_instructions, orders, partial(git.read_base_file, base_sha))
    return apply_settings(batch, settings), orders


class _BatchRun:
    """A batch while it runs: which workers live, how they stand, how they ended."""

    def __init__(self, engine: LocalEngine, batch: BatchSpec, orders: tuple[TaskOrder, ...]) -> None:
        self._engine = engine
        self._batch = batch
        self._orders = {order.task.id: order for order in orders}
        self._running: dict[str, asyncio.Task[TaskOutcome]] = {}
        self._ended: dict[str, TaskOutcome] = {}
        self._skipped: Mapping[str, str] = {}
        self._begun = time.monotonic()

    async def to_end(self) -> None:
        """Start what is ready, wait until something changed, and again, until nothing runs or can run."""
        log = get_run_logger()
        try:
            while True:
                self._engine.changed.clear()
                self._collect()
                if not self._engine.stopping:
                    schedule = decide_schedule(self._batch, self._progress())
                    self._skip(schedule)
                    for task_id in schedule.start:
                        log.info("starting %s", task_id)
                        self._start(self._orders[task_id])
                if not self._running:
                    break
                await self._engine.changed.wait()
        finally:
            await self._end_all()

    def _start(self, order: TaskOrder) -> None:
        outer = self._engine.outer_context
        task = asyncio.get_running_loop().create_task(
            run_worker(self._engine, order), name=order.worker, context=outer.copy() if outer else None
        )
        task.add_done_callback(lambda _: self._engine.changed.set())
        self._running[order.task.id] = task

    def _collect(self) -> None:
        """Take in workers that have ended."""
        for task_id, task in list(self._running.items()):
            if task.done():
                del self._running[task_id]
                self._engine.end_session(self._orders[task_id])
                self._ended[task_id] = _outcome_of(self._orders[task_id], task)
                self._engine.observer.ended(self._ended[task_id])

    def _progress(self) -> dict[str, TaskProgress]:
        """How each task stands, for the scheduling decision."""
        standing = dict.fromkeys(self._orders, TaskProgress.WAITING)
        for task_id in self._running:
            session = self._engine.sessions.get(self._orders[task_id].worker)
            in_slot = session is None or session.state in {*SLOT_STATES, WorkerState.UNKNOWN}
            standing[task_id] = TaskProgress.ACTIVE if in_slot else TaskProgress.IN_REVIEW
        for task_id, outcome in self._ended.items():
            standing[task_id] = _PROGRESS_OF_RESULT[outcome.result]
        return standing

    def _skip(self, schedule: Schedule) -> None:
        for task_id in schedule.skipped.keys() - self._skipped.keys():
            self._engine.observer.ended(self._unfinished(task_id, schedule.skipped[task_id]))
        self._skipped = schedule.skipped

    def _unfinished(self, task_id: str, reason: str) -> TaskOutcome:
        result = "skipped" if reason else "cancelled"
        return TaskOutcome(task_id, self._orders[task_id].worker, result, reason or self._engine.stopping)

    async def _end_all(self) -> None:
        """On the way out, however that came about, no worker of ours goes on unwatched."""
        if self._running:
            self._engine.stop(self._engine.stopping or "the batch was ended")
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            self._collect()

    def outcome(self) -> BatchOutcome:
        """How the batch ended, tasks in spec order."""
        tasks = tuple(
            self._ended.get(task.id) or self._unfinished(task.id, self._skipped.get(task.id, ""))
            for task in self._batch.tasks
        )
        return BatchOutcome(self._batch.name, tasks, time.monotonic() - self._begun)


def _outcome_of(order: TaskOrder, task: asyncio.Task[TaskOutcome]) -> TaskOutcome:
    if task.cancelled():
        return TaskOutcome(order.task.id, order.worker, "cancelled", "the run was cancelled")
    error = task.exception()
    if error is not None:
        return TaskOutcome(order.task.id, order.worker, "failed", f"{type(error).__name__}: {error}")
    return task.result()


def _final_state(engine: LocalEngine, outcome: BatchOutcome) -> State[object]:
    done = sum(task.result in {"merged", "no_change"} for task in outcome.tasks)
    said = f"{done} of {len(outcome.tasks)} tasks done"
    if engine.stopping:
        return Cancelled(message=f"{said}; {engine.stopping}")
    return Completed(message=said) if outcome.succeeded else Failed(message=said)
