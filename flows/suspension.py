"""Waiting without a process: a run of a deployment ends as PAUSED and is scheduled again when it is woken.

It is what Prefect's `suspend_flow_run` does, with a state name of our own and no task that fails for it. The server
takes a paused run with `pause_reschedule` back to Scheduled when it is resumed, by us or in the UI.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.context import FlowRunContext

from flows.prefect_internals import resumable_until

_GRACE = timedelta(days=1)
"""The run itself says better why it gave up; the server's own timeout is for when nobody wakes it any more."""


def deployed_run() -> FlowRun | None:
    """The flow run this is called in, if a Prefect worker started it from a deployment."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run if run is not None and run.deployment_id is not None else None


def suspended_state(name: str, reason: str, timeout: float) -> State[object]:
    """The final state of a process whose run waits, for at most `timeout` seconds, to be woken."""
    until = datetime.now(UTC) + timedelta(seconds=timeout) + _GRACE
    details = resumable_until(until, by_a_prefect_worker=deployed_run() is not None)
    return State(type=StateType.PAUSED, name=name, message=reason, state_details=details)


async def wake(client: PrefectClient, run_id: UUID) -> bool:
    """Schedule a suspended run again. False when it does not wait (any more), which is no fault."""
    answer = await client.resume_flow_run(run_id)
    return answer.status is SetStateStatus.ACCEPT
