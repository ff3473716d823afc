"""The automations `up` registers: a run whose process vanished goes on; what needs a person is told to one.

Heartbeats: Prefect's `flow-run.heartbeat` events, which every run of a process sends.
See https://docs.prefect.io/v3/advanced/detect-zombie-flows.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from prefect.events.actions import ActionTypes, ResumeFlowRun, SendNotification, SuspendFlowRun
from prefect.events.schemas.automations import AutomationCore, CompoundTrigger, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from deployments.hosting import HEARTBEAT_SECONDS
from flows.flow_names import IMPLEMENT_TASK, PRODUCT_TAG, RUN_BATCH, WORKER_EVENT

ZOMBIE_RUN = "parallel-workers: suspend a run without a heartbeat"
ZOMBIE_RESUMED = "parallel-workers: resume a run that was without a heartbeat"
BATCH_FAILED = "parallel-workers: a batch failed"
NEEDS_HUMAN = "parallel-workers: a worker needs a human"

SILENCE = timedelta(seconds=5 * HEARTBEAT_SECONDS)
"""A run is given up for dead when nothing was heard of it for so long."""

_RUN = "prefect.flow-run."
_NO_PROCESS_NEEDED = (
    *("Completed", "MERGED", "Failed", "Crashed", "TimedOut", "Cancelled"),
    *("Scheduled", "Late", "Resuming", "AwaitingConcurrencySlot"),
    *("Paused", "Suspended", "PR_OPEN", "WAITING"),
)
"""State names after which silence is what one expects: it spares the server a vain attempt."""

_HEARTBEAT = f"{_RUN}heartbeat"
_RESOURCE = "prefect.resource.id"
_TAG = ResourceSpecification({_RESOURCE: f"prefect.tag.{PRODUCT_TAG}", "prefect.resource.role": "tag"})
_DEPLOYMENT = ResourceSpecification({_RESOURCE: "prefect.deployment.*", "prefect.resource.role": "deployment"})
_ANY_RUN = {_RESOURCE: f"{_RUN}*"}


def zombie_run(silence: timedelta = SILENCE) -> AutomationCore:
    """A deployed run of ours that says nothing for `silence` is suspended, if the server has it as running.

    Suspended, not scheduled: a run's last heartbeat may arrive after the event of its end, and then nothing follows.
    The server refuses to suspend what does not run, but would schedule a run that is done.
    """
    return AutomationCore(
        name=ZOMBIE_RUN,
        description="The process of a run has vanished: its machine failed, or it was killed with its Prefect worker.",
        trigger=EventTrigger(
            # One that is killed at once has sent no heartbeat.
            after={_HEARTBEAT, f"{_RUN}Running"},
            expect={_HEARTBEAT, *(f"{_RUN}{name}" for name in _NO_PROCESS_NEEDED)},
            match=ResourceSpecification(_ANY_RUN),
            # Runs of the command line have no deployment: no Prefect worker could take them up.
            match_related=[_TAG, _DEPLOYMENT],
            for_each={_RESOURCE},
            posture=Posture.Proactive,
            threshold=1,
            within=silence,
        ),
        actions=[SuspendFlowRun()],
    )


def zombie_resumed() -> AutomationCore:
    """What an automation has suspended is scheduled again, and a Prefect worker takes it up."""
    by_automation = {"prefect.state-message": "Suspended by Automation*"}
    return AutomationCore(
        name=ZOMBIE_RESUMED,
        description="Any Prefect worker of the work pool goes on with it; finished steps are not repeated.",
        trigger=EventTrigger(
            expect={f"{_RUN}Suspended"},
            match=ResourceSpecification({**_ANY_RUN, **by_automation}),
            match_related=[_TAG, _DEPLOYMENT],
            for_each={_RESOURCE},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[ResumeFlowRun()],
    )


def batch_failed(block: UUID) -> AutomationCore:
    """A failed or crashed batch is told through the notification block."""
    return AutomationCore(
        name=BATCH_FAILED,
        description="Sends a notification when a run of run-batch fails, crashes or takes too long.",
        trigger=_ended_badly(RUN_BATCH),
        actions=[
            _notification(
                block,
                "Batch failed: {{ flow_run.name }}",
                "{{ flow_run.name }}: {{ flow_run.state.name }}. {{ flow_run.state.message }}\n{{ flow_run|ui_url }}",
            )
        ],
    )


def needs_human(block: UUID) -> AutomationCore:
    """A worker that asks for a person, or ended in a way it could not tell of, is told through the block."""
    asked = EventTrigger(expect={f"{WORKER_EVENT}needs_human"}, posture=Posture.Reactive, threshold=1)
    # A worker that fails says so itself, with its reason. These are the ends it cannot speak of.
    crashed = _ended_badly(IMPLEMENT_TASK, "Crashed", "TimedOut")
    raised = _ended_badly(IMPLEMENT_TASK, "Failed", message="Flow run encountered an exception*")
    return AutomationCore(
        name=NEEDS_HUMAN,
        description="Sends a notification when a worker needs a person, crashed, or met an unexpected error.",
        trigger=CompoundTrigger(require="any", triggers=[asked, crashed, raised]),
        actions=[
            _notification(
                block,
                "A worker needs a human: {{ event.resource.name }}",
                "{{ event.resource.name }}: {{ event.payload.reason or flow_run.state.message }}"
                "{% if flow_run %}\n{{ flow_run|ui_url }}{% endif %}",
            )
        ],
    )


def _ended_badly(flow: str, *states: str, message: str = "") -> EventTrigger:
    """A run of a flow entering one of the states, with a message like `message` if one is given."""
    match = {**_ANY_RUN, **({"prefect.state-message": message} if message else {})}
    return EventTrigger(
        expect={f"{_RUN}{state}" for state in states or ("Failed", "Crashed", "TimedOut")},
        match=ResourceSpecification(match),
        match_related=ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": flow}),
        posture=Posture.Reactive,
        threshold=1,
    )


def _notification(block: UUID, subject: str, body: str) -> ActionTypes:
    return SendNotification(block_document_id=block, subject=subject, body=body)
