"""A batch whose workers are runs of the implement-task deployment, on whatever machine a Prefect worker takes them.

It keeps nothing: how its workers stand is read from the server each time, so a batch run may be suspended, resumed or
killed anywhere.
"""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import Flow, get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling, Scheduled

from flows.batch_wakening import BATCH_LABEL, BATCH_RUN_LABEL, ENDED_LABEL, PROJECT_LABEL, count_ended
from flows.events import batch_event
from flows.flow_names import IMPLEMENT_TASK, LABEL_PREFIX, PRODUCT_TAG, deployment_of
from flows.limits import ensure_work_limit
from flows.prefect_clients import prefect_client
from flows.suspension import deployed_run
from flows.worker_runs import outcome_of
from flows.worker_states import labels_of, read_runs, tags_of, to_record, worker_state
from parallel_workers import messages
from parallel_workers.decisions.scheduling import Schedule, decide_schedule
from parallel_workers.decisions.standing import WorkerRun, decide_standing
from parallel_workers.errors import UsageError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.messages import run_name
from parallel_workers.progress import BatchOutcome, TaskOutcome, TaskProgress
from parallel_workers.spec import BatchSpec, TaskOrder

_LOOK_SECONDS = 2.0
_CALLED_OFF = "its batch was cancelled; run the batch again to go on"


class BatchDeployed:
    """A deployed batch run's view of its workers."""

    def __init__(
        self, client: PrefectClient, batch: BatchSpec, orders: tuple[TaskOrder, ...], deployment: UUID, run: FlowRun
    ) -> None:
        self._client = client
        self._batch = batch
        self._orders = {order.task.id: order for order in orders}
        self._deployment = deployment
        self._run = run
        self._begun_at = datetime.now(UTC)

    @classmethod
    async def begin(cls, client: PrefectClient, batch: BatchSpec, orders: tuple[TaskOrder, ...]) -> BatchDeployed:
        """For the batch run this is called in.

        Raises:
            UsageError: the server has no deployment of implement-task, or a foreground run left workers unfinished.
        """
        run = deployed_run()
        assert run is not None  # noqa: S101 - only deployed runs come here
        try:
            deployment = await client.read_deployment_by_name(deployment_of(IMPLEMENT_TASK))
        except ObjectNotFound as missing:
            raise UsageError(
                f"the server has no deployment {deployment_of(IMPLEMENT_TASK)}; make it: parallel-workers up"
            ) from missing
        await ensure_work_limit(client, batch.project, batch.max_workers)
        self = cls(client, batch, orders, deployment.id, run)
        self._begun_at = await self._last_begun()
        await self._refuse_foreign()
        await self._say_what_it_is()
        return self

    async def _say_what_it_is(self) -> None:
        """Name and tag the batch run, once: how it is found, and that it has begun, is known from its label then."""
        if BATCH_LABEL in self._run.labels:
            return
        tags = {*self._run.tags, PRODUCT_TAG, f"project:{self._batch.project}", f"batch:{self._label}"}
        await self._client.update_flow_run(self._run.id, name=f"batch {self._label}", tags=sorted(tags))
        labels: dict[str, bool | int | float | str] = {BATCH_LABEL: self._label, PROJECT_LABEL: self._batch.project}
        await self._client.update_flow_run_labels(self._run.id, labels)
        batch_event(self._label, self._batch.project, "started", f"{len(self._orders)} tasks")

    async def _refuse_foreign(self) -> None:
        """What a foreground run left unfinished has no deployment, so no Prefect worker could take it up."""
        left = [
            to_record(run)
            for run in (await self._read()).values()
            if run.deployment_id is None and self._standing(run) not in {TaskProgress.DONE, TaskProgress.IN_REVIEW}
        ]
        if left:
            raise UsageError(messages.begun_in_foreground([(each.task_id, each.worker_id) for each in left]))

    @property
    def _label(self) -> str:
        return next(iter(self._orders.values())).batch

    async def _last_begun(self) -> datetime:
        """Since when this batch run counts failures: its making, or when it was last begun again after it had ended."""
        ended = [
            state.timestamp
            for state in await self._client.read_flow_run_states(self._run.id)
            if state.is_final() and state.timestamp
        ]
        return max(ended, default=self._run.created or self._begun_at)

    async def advance(self) -> str:
        """Start what may start and look on while any worker is at work; then what is still waited for, '' when done."""
        log, told = get_run_logger(), set[str]()
        while True:
            runs = await self._read()
            standing = {task_id: self._standing(runs.get(order.worker)) for task_id, order in self._orders.items()}
            schedule = decide_schedule(self._batch, standing)
            for task_id, progress in standing.items():
                if progress in {TaskProgress.DONE, TaskProgress.FAILED} and task_id not in told:
                    told.add(task_id)
                    record = to_record(runs[self._orders[task_id].worker])
                    log.info("%s: %s", task_id, record.reason or record.prefect_state)
            for task_id in schedule.start:
                log.info("starting %s", task_id)
                await self._start(self._orders[task_id], runs.get(self._orders[task_id].worker))
            if schedule.finished:
                return ""
            if not schedule.start and TaskProgress.ACTIVE not in standing.values():
                ended = count_ended(runs.values())
                await self._client.update_flow_run_labels(self._run.id, {ENDED_LABEL: ended})
                return self._waiting_for(standing, schedule)
            await asyncio.sleep(_LOOK_SECONDS)

    def _waiting_for(self, standing: dict[str, TaskProgress], schedule: Schedule) -> str:
        waiting = [task_id for task_id, progress in standing.items() if progress is TaskProgress.IN_REVIEW]
        shown = ", ".join(waiting[:5]) + (" …" if len(waiting) > 5 else "")
        after = f"; {len(schedule.waiting)} tasks begin after them" if schedule.waiting else ""
        count = f"{len(waiting)} pull request{'s wait' if len(waiting) > 1 else ' waits'} to be merged"
        return f"{count}: {shown}{after}"

    async def _read(self) -> dict[str, FlowRun]:
        """Flow runs of this batch's workers, by worker id."""
        runs = await read_runs(self._client, f"batch:{self._label}")
        return {str(run.labels.get(f"{LABEL_PREFIX}worker_id", "")): run for run in runs}

    def _standing(self, run: FlowRun | None) -> TaskProgress:
        if run is None or run.state is None:
            return decide_standing(None, self._begun_at)
        seen = WorkerRun(
            done=run.state.is_completed(),
            in_review=worker_state(run) is WorkerState.PR_OPEN,
            ended=run.state.is_final(),
            changed_at=run.state.timestamp,
            can_start_again=run.deployment_id is not None,
        )
        return decide_standing(seen, self._begun_at)

    async def _start(self, order: TaskOrder, earlier: FlowRun | None) -> None:
        """Make the worker's one flow run, or schedule the one that it has again, with the order as it is now."""
        labels = labels_of(order, correlation_id=to_record(earlier).correlation_id if earlier else _new_id())
        labels[BATCH_RUN_LABEL] = str(self._run.id)
        parameters = {"order": order.model_dump(mode="json")}
        run = await self._client.create_flow_run_from_deployment(
            self._deployment,
            parameters=parameters,
            name=run_name(order.task),
            tags=tags_of(order),
            labels=dict(labels),
            idempotency_key=order.worker,
        )
        if earlier is not None:
            await self._client.update_flow_run(run.id, parameters=parameters, tags=tags_of(order))
            await self._client.update_flow_run_labels(run.id, dict(labels))
            again: State[object] = Scheduled(message="taken up again by its batch")
            await self._client.set_flow_run_state(run.id, again, force=True)

    async def outcome(self) -> BatchOutcome:
        """How the batch ended, tasks in spec order."""
        runs = await self._read()
        standing = {task_id: self._standing(runs.get(order.worker)) for task_id, order in self._orders.items()}
        skipped = decide_schedule(self._batch, standing).skipped
        tasks = tuple(
            TaskOutcome(task.id, self._orders[task.id].worker, "skipped", skipped[task.id])
            if task.id in skipped
            else outcome_of(self._orders[task.id], runs[self._orders[task.id].worker])
            for task in self._batch.tasks
        )
        begun = self._run.start_time or self._begun_at
        return BatchOutcome(self._batch.name, tasks, (datetime.now(UTC) - begun).total_seconds())


def _new_id() -> str:
    return uuid.uuid4().hex[:16]


async def cancel_workers(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect's
    """Flow hook: a cancelled batch calls off its workers that are at work; those in review go on waiting."""
    if flow_run.deployment_id is None:
        return  # it stopped them itself
    batch, project = (str(flow_run.labels.get(name, "")) for name in (BATCH_LABEL, PROJECT_LABEL))
    batch_event(batch, project, "cancelled", state.message or "")
    async with prefect_client() as client:
        for worker in await read_runs(client, f"batch:{batch}"):
            ours = worker.labels.get(BATCH_RUN_LABEL) == str(flow_run.id)
            if ours and worker.state and not worker.state.is_final() and worker_state(worker) != WorkerState.PR_OPEN:
                await client.set_flow_run_state(worker.id, Cancelling(message=_CALLED_OFF), force=True)
