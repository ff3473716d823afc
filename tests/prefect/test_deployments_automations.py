"""The automations fire on a real server: notifications reach a real HTTP endpoint, a silent run is scheduled again."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import emit_event
from prefect.states import Completed, Failed, Paused, Running

from deployments.automation_registration import NOTIFICATION_BLOCK, register_automation
from deployments.automations import BATCH_FAILED, NEEDS_HUMAN, zombie_run
from deployments.server_address import ServerAddress
from deployments.set_up import set_up
from flows.flow_names import IMPLEMENT_TASK, RUN_BATCH, WATCH_PULL_REQUESTS, WORKER_EVENT, deployment_of

Inbox = queue.Queue[dict[str, Any]]
_SECONDS = 30


@pytest.fixture
def endpoint() -> Iterator[tuple[str, Inbox]]:
    """The URL of an HTTP server of our own, and the JSON it has received."""
    inbox: Inbox = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            inbox.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", inbox
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
async def client(prefect_server: ServerAddress) -> AsyncIterator[PrefectClient]:
    async with get_client() as made:
        yield made


@pytest.fixture
async def notified(endpoint: tuple[str, Inbox], client: PrefectClient) -> AsyncIterator[Inbox]:
    """What is sent through the notification block, which was saved after a first set-up."""
    url, inbox = endpoint
    assert (await set_up()).notifies is False
    block = CustomWebhookNotificationBlock(
        name="notify", url=url, json_data={"subject": "{{subject}}", "body": "{{body}}"}
    )
    document = await block.save(NOTIFICATION_BLOCK)
    done = await set_up()
    assert done.notifies is True
    assert done.automations[BATCH_FAILED] in {"created", "updated"}
    assert done.automations[NEEDS_HUMAN] in {"created", "updated"}
    assert (await set_up()).changed is False
    await asyncio.sleep(2)  # the server's triggers are told of a new automation by a message of its own
    yield inbox
    await client.delete_block_document(document)


async def receive(inbox: Inbox, wanted: str) -> dict[str, Any]:
    """The first notification whose body holds `wanted`."""
    while True:
        received = await asyncio.to_thread(inbox.get, timeout=_SECONDS)
        if wanted in received["body"]:
            return received


async def make_run(client: PrefectClient, flow_name: str, name: str) -> FlowRun:
    """A run of one of our flows that nothing carries out."""

    @flow(name=flow_name)
    def nothing() -> None:
        """Only its name counts."""

    return await client.create_flow_run(nothing, name=name, state=Running())


async def make_deployed_run(client: PrefectClient) -> FlowRun:
    """A run of one of our deployments; no Prefect worker is there to carry it out."""
    deployment = await client.read_deployment_by_name(deployment_of(WATCH_PULL_REQUESTS))
    return await client.create_flow_run_from_deployment(deployment.id, state=Running())


async def test_a_failed_batch_and_a_worker_in_need_are_told(notified: Inbox, client: PrefectClient) -> None:
    name = f"batch {uuid.uuid4()}"
    run = await make_run(client, RUN_BATCH, name)
    await client.set_flow_run_state(run.id, Failed(message="2 of 3 tasks failed"), force=True)
    told = await receive(notified, name)
    assert told["subject"] == f"Batch failed: {name}"
    assert "2 of 3 tasks failed" in told["body"]
    assert f"/runs/flow-run/{run.id}" in told["body"]

    worker = f"TASK-{uuid.uuid4()}"
    resource = {"prefect.resource.id": f"parallel-workers.worker.{worker}", "prefect.resource.name": worker}
    emit_event(f"{WORKER_EVENT}needs_human", resource=resource, payload={"reason": "closed without a merge"})
    told = await receive(notified, worker)
    assert told["subject"] == f"A worker needs a human: {worker}"
    assert told["body"].splitlines()[0] == f"{worker}: closed without a merge"

    crash = await make_run(client, IMPLEMENT_TASK, f"unexpected {worker}")
    message = "Flow run encountered an exception: KeyError: 'x'"
    await client.set_flow_run_state(crash.id, Failed(message=message), force=True)
    assert message in (await receive(notified, f"unexpected {worker}"))["body"]

    spoke = await make_run(client, IMPLEMENT_TASK, f"expected {worker}")  # it has sent its event itself
    await client.set_flow_run_state(spoke.id, Failed(message="gate failed"), force=True)
    await asyncio.sleep(2)
    assert notified.empty()


async def test_a_run_that_says_nothing_more_is_scheduled_again(client: PrefectClient) -> None:
    await set_up()
    silent, waiting, done, killed_at_once = [await make_deployed_run(client) for _ in range(4)]
    await client.set_flow_run_state(waiting.id, Paused(name="PR_OPEN"), force=True)
    await client.set_flow_run_state(done.id, Completed(name="MERGED"), force=True)
    quick = zombie_run(timedelta(seconds=10)).model_copy(update={"name": f"zombie {uuid.uuid4()}"})
    await register_automation(client, quick)
    (made,) = await client.read_automations_by_name(quick.name)
    try:
        await asyncio.sleep(2)  # until the server's triggers know of it
        for run in (waiting, done, silent):
            _emit(run, "heartbeat")  # for two of them late: their states are there already
        _emit(killed_at_once, "Running")
        for _ in range(_SECONDS * 2):
            await asyncio.sleep(0.5)
            if (await state_of(client, silent)).is_scheduled():
                break
        assert (await state_of(client, silent)).is_scheduled()
        for _ in range(_SECONDS * 2):
            if (await state_of(client, killed_at_once)).is_scheduled():
                break
            await asyncio.sleep(0.5)
        assert (await state_of(client, killed_at_once)).is_scheduled()
        await asyncio.sleep(1)
        assert (await state_of(client, waiting)).name == "PR_OPEN"
        assert (await state_of(client, done)).name == "MERGED"
    finally:
        await client.delete_automation(made.id)
        for run in (silent, waiting, done, killed_at_once):
            await client.delete_flow_run(run.id)


async def state_of(client: PrefectClient, run: FlowRun) -> State[Any]:
    """The run's state now."""
    state = (await client.read_flow_run(run.id)).state
    assert state is not None
    return state


def _emit(run: FlowRun, happened: str) -> None:
    """As Prefect's engine (`heartbeat`) and its server (state names) send it."""
    emit_event(
        f"prefect.flow-run.{happened}",
        resource={"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.name": run.name},
        related=[
            {"prefect.resource.id": f"prefect.deployment.{run.deployment_id}", "prefect.resource.role": "deployment"},
            *({"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in run.tags),
        ],
    )
