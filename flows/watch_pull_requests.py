"""The loop: one look at all open pull requests of workers that no engine is running, and their runs go on."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import suppress

from filelock import Timeout
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import FlowRun

from flows.local_engine import LocalEngine, use_engine
from flows.wiring import open_workplace
from flows.worker_runs import run_worker, worker_lock
from flows.worker_states import prefect_client, read_runs, to_record, worker_state
from parallel_workers.decisions.merging import Wait, decide_merge
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import TaskOutcome, WorkerRecord
from parallel_workers.pull_requests import PullRequest
from parallel_workers.spec import TaskOrder


@flow(name="watch-pull-requests")
async def watch_pull_requests(project: str | None = None) -> list[TaskOutcome]:
    """Look once at the pull requests of waiting workers; carry those on whose pull request has moved."""
    outcomes = await look_once(project)
    for outcome in outcomes:
        get_run_logger().info("%s: %s (%s)", outcome.task_id, outcome.result, outcome.reason)
    return outcomes


async def watch(
    *,
    project: str | None,
    poll_seconds: float,
    max_iterations: int | None,
    stop: asyncio.Event,
    on_look: Callable[[tuple[WorkerRecord, ...]], None],
) -> None:
    """Look every `poll_seconds` until `stop` is set or `max_iterations` looks are done; `on_look` gets who waits."""
    done = 0
    while not stop.is_set():
        await look_once(project)
        on_look(tuple(to_record(run) for run in await waiting_runs(project)))
        done += 1
        if max_iterations is not None and done >= max_iterations:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), poll_seconds)


async def waiting_runs(project: str | None) -> list[FlowRun]:
    """Flow runs of workers in PR_OPEN that no live engine on this machine runs."""
    async with prefect_client() as client:
        runs = await read_runs(client, *([f"project:{project}"] if project else []))
    return [run for run in runs if worker_state(run) is WorkerState.PR_OPEN and _is_free(to_record(run).worker_id)]


def _is_free(worker: str) -> bool:
    try:
        with worker_lock(worker).acquire(timeout=0):
            return True
    except Timeout:
        return False


async def look_once(project: str | None) -> list[TaskOutcome]:
    """One look per repository; runs whose pull request does not just wait go on here, all at once."""
    orders = [TaskOrder.model_validate(run.parameters["order"]) for run in await waiting_runs(project)]
    moved: list[TaskOrder] = []
    for repository in dict.fromkeys(order.repository for order in orders):
        forge = open_workplace(repository).forge
        seen = {each.worker: each for each in await asyncio.to_thread(forge.fetch_pull_requests, include_ended=True)}
        moved += [
            order for order in orders if order.repository == repository and _has_moved(order, seen.get(order.worker))
        ]
    return await _carry_on(moved)


def _has_moved(order: TaskOrder, pull_request: PullRequest | None) -> bool:
    return pull_request is not None and not isinstance(decide_merge(pull_request, order.merge), Wait)


async def _carry_on(orders: list[TaskOrder]) -> list[TaskOutcome]:
    engine = LocalEngine()
    with use_engine(engine):
        context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(run_worker(engine, order), context=context.copy()) for order in orders]
    return list(await asyncio.gather(*tasks))
