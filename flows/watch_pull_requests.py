"""The loop: one look at all open pull requests of workers that no engine is running, and their runs go on.

Runs of a deployment are woken: a Prefect worker takes them. Runs that began in a foreground go on here.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable

import httpx
from loguru import logger
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import PrefectException

from flows.batch_wakening import wake_batches
from flows.flow_names import WATCH_PULL_REQUESTS
from flows.forge_credentials import load_credentials
from flows.local_engine import LocalEngine, use_engine
from flows.moved_pull_requests import find_moved
from flows.peers import order_of, peers_among, read_living
from flows.prefect_clients import prefect_client
from flows.pull_request_events import Alarm
from flows.stranded_runs import reschedule_stranded, resume_suspended
from flows.suspension import wake
from flows.wiring import renew_workplaces
from flows.worker_lock import is_held
from flows.worker_runs import run_worker
from flows.worker_states import read_runs, to_record, worker_state
from parallel_workers.errors import ForgeError, ParallelWorkersError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import TaskOutcome, WorkerRecord
from parallel_workers.spec import TaskOrder


@flow(name=WATCH_PULL_REQUESTS)
async def watch_pull_requests(project: str | None = None) -> list[TaskOutcome]:
    """Look once at the pull requests of waiting workers; carry those on whose pull request has moved.

    Args:
        project: Only workers of this project. Default: of all.
    """
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
    """Look every `poll_seconds`, and whenever somebody sends an event that a pull request has moved.

    Ends when `stop` is set or `max_iterations` looks are done; `on_look` gets who waits.
    """
    done = 0
    async with Alarm() as alarm:
        while not stop.is_set():
            is_told = alarm.has_rung
            alarm.clear()
            try:
                await look_once(project, stop, at_once=is_told)
                on_look(tuple(to_record(run) for run in await waiting_runs(project)))
            except (httpx.HTTPError, OSError, PrefectException) as error:
                logger.warning("could not look; trying again: {}", error or type(error).__name__)
            done += 1
            if max_iterations is not None and done >= max_iterations:
                return
            await alarm.wait(stop, poll_seconds)


async def waiting_runs(project: str | None) -> list[FlowRun]:
    """Flow runs of workers in PR_OPEN that no live engine on this machine runs."""
    tags = [f"project:{project}"] if project else []
    async with prefect_client() as client:
        runs = await read_runs(client, *tags, state_names=[WorkerState.PR_OPEN])
    return [run for run in runs if worker_state(run) is WorkerState.PR_OPEN and not is_held(to_record(run).worker_id)]


async def look_once(
    project: str | None, stop: asyncio.Event | None = None, *, at_once: bool = False
) -> list[TaskOutcome]:
    """One look per repository; runs whose pull request does not just wait go on, all at once. Then the batches.

    `at_once`: an event told that a pull request has moved; checks and reviews are asked for before they are due.
    A repository that cannot be looked at, or an order that cannot be read, is logged and left for the next look.
    """
    waiting = {
        run.id: (run, order)
        for run in await waiting_runs(project)
        if (order := order_of(run)) is not None and _is_ours_to_carry_on(run)
    }
    await load_credentials()
    living = await read_living() if waiting else []
    moved: set[str] = set()
    for place in dict.fromkeys((order.repository, order.forge) for _, order in waiting.values()):
        here = [(run, order) for run, order in waiting.values() if (order.repository, order.forge) == place]
        try:
            moved |= await find_moved(here, peers_among(living, place[0]), at_once=at_once)
        except (ParallelWorkersError, OSError) as error:
            logger.warning("could not look at the pull requests of {}: {}", place[0], error)
            if isinstance(error, ForgeError) and not error.transient:
                await _renew()
    going_on = [(run, order) for run, order in waiting.values() if order.worker in moved]
    await _wake([run for run, _ in going_on if run.deployment_id is not None])
    outcomes = await _carry_on([order for run, order in going_on if run.deployment_id is None], stop)
    async with prefect_client() as client:
        await wake_batches(client)
        await reschedule_stranded(client)
        await resume_suspended(client)
    return outcomes


async def _renew() -> None:
    """A token that was revoked is replaced in the block; this process goes on for months."""
    try:
        if await renew_workplaces():
            logger.info("the credentials of the forge were read anew")
    except ParallelWorkersError as error:
        logger.warning("{}", error)


def _is_ours_to_carry_on(run: FlowRun) -> bool:
    """A deployed run that is RUNNING has a process somewhere, which this machine cannot see."""
    return run.deployment_id is None or (run.state is not None and run.state.type is StateType.PAUSED)


async def _wake(runs: list[FlowRun]) -> None:
    async with prefect_client() as client:
        for run in runs:
            if await wake(client, run.id):
                logger.info("{}: its pull request has moved; it goes on", run.name)


async def _carry_on(orders: list[TaskOrder], stop: asyncio.Event | None) -> list[TaskOutcome]:
    """Run these workers on; one that still has to wait is let go of, so that the next look finds it again."""
    engine = LocalEngine(waits=False)
    with use_engine(engine):
        context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(run_worker(engine, order), context=context.copy()) for order in orders]
    stopper = loop.create_task(_stop_when(engine, stop)) if stop else None
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    if stopper is not None:
        stopper.cancel()
    for failure in ended:
        if isinstance(failure, BaseException):
            logger.warning("a worker could not go on: {!r}", failure)
    return [outcome for outcome in ended if isinstance(outcome, TaskOutcome)]


async def _stop_when(engine: LocalEngine, stop: asyncio.Event) -> None:
    await stop.wait()
    engine.stop("stopped by the user; the loop goes on with it")
