"""A batch's DAG of implement-task runs: starts what may start, waits until something changed, tells how it ended."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping
from typing import NamedTuple

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.context import AsyncClientContext
from prefect.states import Cancelled, Completed, Failed

from flows.batch_deployed import BatchDeployed, cancel_workers
from flows.batch_files import batch_text, read_spec
from flows.batch_here import BatchHere
from flows.batch_orders import BatchParameters, prepare_orders
from flows.batch_report import publish_batch
from flows.batch_wakening import WAITING
from flows.cancellation import heed_cancellation
from flows.dead_engines import engine_labels, put_back_dead
from flows.events import batch_event
from flows.flow_names import PRODUCT_TAG, RUN_BATCH
from flows.flow_runs import NewRun, create_flow_run, for_this_process
from flows.local_engine import LocalEngine, current_engine, use_engine
from flows.prefect_clients import prefect_client
from flows.prefect_internals import run_in_this_process
from flows.suspension import deployed_run, suspended_state
from parallel_workers import messages
from parallel_workers.crash_points import reach
from parallel_workers.errors import InvalidSpecError, ParallelWorkersError
from parallel_workers.progress import BatchOutcome, ProgressObserver
from parallel_workers.spec import BatchSpec, MergePolicy, TaskOrder


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
    engine = LocalEngine(observer)
    engine.batch = batch
    stopper = asyncio.create_task(_stop_when(engine, stop)) if stop else None
    try:
        with use_engine(engine):
            async with AsyncClientContext.get_or_create():
                # Workers are flow runs of their own, not subflows: they start in the context as it is out here.
                engine.outer_context = contextvars.copy_context()
                with engine_labels() as labels:
                    state = await _run_here(batch, options, labels)
    finally:
        if stopper is not None:
            stopper.cancel()
    if engine.outcome is None:
        await state.aresult()
        raise ParallelWorkersError(state.message or "the batch could not begin")
    return engine.outcome


async def _run_here(batch: BatchSpec, options: RunOptions, labels: Mapping[str, str]) -> State[object]:
    """Run the batch as a flow run of this process; its final state."""
    parameters = {"spec": batch_text(batch), "name": batch.name, **options._asdict()}
    tags = [PRODUCT_TAG, f"project:{batch.project}"]
    new = NewRun(name=f"batch {batch.name}", parameters=parameters, tags=tags, labels=labels)
    async with prefect_client() as client:
        if dead := await put_back_dead(client):
            current_engine().observer.told(messages.engines_killed(run.name for run in dead))
        run = await create_flow_run(client, run_batch, new)
    reach("batch.run-created")
    flow = await for_this_process(run_batch)
    return await run_in_this_process(flow, run, parameters)


async def _stop_when(engine: LocalEngine, stop: asyncio.Event) -> None:
    await stop.wait()
    engine.stop("stopped by the user; run the batch again to go on")


@flow(name=RUN_BATCH, on_cancellation=[cancel_workers])
async def run_batch(  # noqa: PLR0913, PLR0917 - each is a field of the form in the UI
    spec: str,
    repository: str | None = None,
    name: str | None = None,
    merge: MergePolicy | None = None,
    max_workers: int | None = None,
    worktree_root: str | None = None,
    policy_block: str | None = None,
    poll_seconds: float = 5.0,
) -> State[object]:
    """Carry out every task of a batch in dependency order, at most `max_workers` at work at once.

    Args:
        spec: The batch file: paste its YAML here; or its path on the machine of the Prefect worker; or, in a
            repository, `<repository URL>//<path in it>`, with `?ref=<branch>` for another branch than main.
        repository: Path or URL of the repository that is worked on, over the one that the batch file names.
        name: Name of the batch, part of every worker id. Default: the file's name, or `batch` for pasted YAML.
        merge: Who merges, over the batch file: a person (manual), or the product as soon as it may (auto).
        max_workers: Tasks at work at once, over the batch file.
        worktree_root: Folder of the worktrees, over the Worktree Policy block; may begin with `~`.
        policy_block: Name of the Worktree Policy block to use.
        poll_seconds: Seconds between two looks at what the batch waits for.
    """
    given = BatchParameters(repository, name, merge, max_workers, worktree_root, policy_block, poll_seconds)
    try:
        read = current_engine().batch
        if read is None:
            read = await asyncio.to_thread(read_spec, spec, repository, name)
        batch = given.over(read)
        batch, orders = await prepare_orders(batch, given)
    except InvalidSpecError as error:
        if current_engine().batch is not None:
            raise
        get_run_logger().error("nothing was begun; the batch file does not hold:\n%s", error)
        return Failed(message=f"Nothing was begun. The batch file does not hold:\n{error}")
    except ParallelWorkersError as error:
        if current_engine().batch is not None:
            raise
        return Failed(message=f"Nothing was begun: {error}")
    if deployed_run() is not None:
        try:
            return await _run_deployed(batch, orders)
        except ParallelWorkersError as error:
            return Failed(message=str(error))
    return await _run_in_this_process(batch, orders)


async def _run_in_this_process(batch: BatchSpec, orders: tuple[TaskOrder, ...]) -> State[object]:
    reach("batch.orders-prepared")
    engine = current_engine()
    batch_event(orders[0].batch, batch.project, "started", f"{len(orders)} tasks")
    run = BatchHere(engine, batch, orders)
    async with heed_cancellation(engine):
        await run.to_end()
    engine.outcome = run.outcome()
    return await _end(orders[0].batch, batch, engine.outcome, engine.stopping)


async def _run_deployed(batch: BatchSpec, orders: tuple[TaskOrder, ...]) -> State[object]:
    label = orders[0].batch
    async with prefect_client() as client:
        run = await BatchDeployed.begin(client, batch, orders)
        waiting_for = await run.advance()
        if waiting_for:
            batch_event(label, batch.project, "waiting", waiting_for)
            return suspended_state(WAITING, waiting_for, max(order.review_timeout for order in orders))
        return await _end(label, batch, await run.outcome(), "")


async def _end(label: str, batch: BatchSpec, outcome: BatchOutcome, stopping: str) -> State[object]:
    await publish_batch(label, batch, outcome)
    reach("batch.outcome-published")
    done = sum(task.result in {"merged", "no_change"} for task in outcome.tasks)
    said = f"{done} of {len(outcome.tasks)} tasks done"
    if stopping:
        batch_event(label, batch.project, "cancelled", said)
        return Cancelled(message=f"{said}; {stopping}")
    batch_event(label, batch.project, "completed" if outcome.succeeded else "failed", said)
    return Completed(message=said) if outcome.succeeded else Failed(message=said)
