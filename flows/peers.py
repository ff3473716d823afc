"""Which pull requests take turns with a worker's: those of all workers that live, on whatever machine."""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger
from prefect.client.schemas.objects import FlowRun, StateType
from pydantic import ValidationError

from flows.prefect_clients import prefect_client
from flows.pull_request_watch import Turn
from flows.remembered import read_remembered
from flows.worker_lock import is_held
from flows.worker_states import read_runs, to_record, worker_state
from parallel_workers.lifecycle import WorkerState
from parallel_workers.spec import MergePolicy, TaskOrder

_ALIVE = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED)


async def read_peers(order: TaskOrder) -> dict[int, Turn]:
    """Turns by pull request number, of all that take turns with this worker's; none when a person merges it."""
    if order.merge is MergePolicy.MANUAL:
        return {}
    return peers_among(await _of_base(order), order.repository)


async def read_rivals(order: TaskOrder) -> dict[int, Turn]:
    """As `read_peers`, but only of workers that a live engine on this machine runs.

    An engine that waits acts on its own at each look. One on another machine is not waited for: whether it still
    lives is not to be seen from here.
    """
    if order.merge is MergePolicy.MANUAL:
        return {}
    held = [run for run in await _of_base(order) if is_held(to_record(run).worker_id)]
    return peers_among(held, order.repository)


async def _of_base(order: TaskOrder) -> list[FlowRun]:
    return [run for run in await read_living() if to_record(run).base_branch == order.base_branch]


async def read_living() -> list[FlowRun]:
    """Every worker's flow run that has not ended."""
    async with prefect_client() as client:
        return await read_runs(client, state_types=_ALIVE)


def peers_among(runs: Iterable[FlowRun], repository: str) -> dict[int, Turn]:
    """Turns by pull request number, of every worker of the repository that will see its own through."""
    peers: dict[int, Turn] = {}
    for run in runs:
        record = to_record(run)
        if record.repository == repository and record.pr_number is not None and _is_alive(run, record.worker_id):
            order = order_of(run)
            if order is not None:
                peers[record.pr_number] = Turn(order.merge, read_remembered(run.labels).has_taken_turn)
    return peers


def order_of(run: FlowRun) -> TaskOrder | None:
    """The order of a worker's run; None when it cannot be read any more."""
    try:
        return TaskOrder.model_validate(run.parameters.get("order"))
    except ValidationError as error:
        logger.warning("{}: its order cannot be read any more: {}", run.name, error)
        return None


def _is_alive(run: FlowRun, worker: str) -> bool:
    """What a foreground left behind at work takes no turn: nobody goes on with it until a person does."""
    return run.deployment_id is not None or worker_state(run) is WorkerState.PR_OPEN or is_held(worker)
