"""Runs that a Prefect worker took and never began: it was killed, or its machine failed, in between.

A run that has begun sends heartbeats, and an automation of `up` notices when they stop; others send none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from loguru import logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Scheduled

from flows.flow_names import PRODUCT_TAG
from flows.suspension import wake
from parallel_workers.decisions.health_of_workers import PENDING_SECONDS

BY_AUTOMATION = "Suspended by Automation"
PATIENCE = timedelta(seconds=PENDING_SECONDS)


async def reschedule_stranded(client: PrefectClient, *, patience: timedelta = PATIENCE) -> list[FlowRun]:
    """Schedule again what has been pending for longer than `patience`; those runs, as they were."""
    pending = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            tags=FlowRunFilterTags(all_=[PRODUCT_TAG]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING])),
        )
    )
    before = datetime.now(UTC) - patience
    stranded = [
        run
        for run in pending
        if run.deployment_id is not None and run.state is not None and run.state.timestamp < before
    ]
    for run in stranded:
        logger.warning("{} was taken by a Prefect worker and never begun; it is scheduled again", run.name)
        again: State[object] = Scheduled(message="the Prefect worker that took it never began it")
        await client.set_flow_run_state(run.id, again, force=True)
    return stranded


async def resume_suspended(client: PrefectClient) -> list[FlowRun]:
    """Wake the runs that an automation has suspended because they fell silent; those runs, as they were.

    Another automation does it as soon as it hears of it; after a restart of the embedded server that takes a quarter of
    an hour, because Prefect keeps the order of events in memory.
    """
    suspended = await client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            tags=FlowRunFilterTags(all_=[PRODUCT_TAG]),
            state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Suspended"])),
        )
    )
    silent = [run for run in suspended if run.state and (run.state.message or "").startswith(BY_AUTOMATION)]
    return [run for run in silent if await wake(client, run.id)]
