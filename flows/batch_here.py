"""A batch whose workers all run in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from prefect import get_run_logger

from flows.local_engine import LocalEngine
from flows.worker_runs import run_worker
from parallel_workers.crash_points import reach
from parallel_workers.decisions.scheduling import Schedule, decide_schedule
from parallel_workers.lifecycle import SLOT_STATES, WorkerState
from parallel_workers.progress import BatchOutcome, TaskOutcome, TaskProgress
from parallel_workers.spec import BatchSpec, TaskOrder

_PROGRESS_OF_RESULT = {
    "merged": TaskProgress.DONE,
    "no_change": TaskProgress.DONE,
    "failed": TaskProgress.FAILED,
    "cancelled": TaskProgress.FAILED,
}


class BatchHere:
    """A batch while it runs: which workers live, how they stand, how they ended."""

    def __init__(self, engine: LocalEngine, batch: BatchSpec, orders: tuple[TaskOrder, ...]) -> None:
        self._engine = engine
        self._batch = batch
        self._orders = {order.task.id: order for order in orders}
        self._running: dict[str, asyncio.Task[TaskOutcome]] = {}
        self._ended: dict[str, TaskOutcome] = {}
        self._skipped: Mapping[str, str] = {}
        self._begun = time.monotonic()
        engine.max_workers = batch.max_workers

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
                        reach("batch.worker-chosen")
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
                reach("batch.worker-ended")
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
