"""What the server knows of workers, as `doctor` reads it, and how stranded runs are put back."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from filelock import Timeout
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelling, Completed, Failed, Pending, Running, Suspended

from blocks.worktree_policy import WorktreePolicy
from deployments.automations import SILENCE, ZOMBIE_RESUMED
from deployments.server_address import ServerAddress
from flows.dead_engines import SEAT, engine_labels
from flows.flow_names import LABEL_PREFIX, PRODUCT_TAG
from flows.flow_runs import NewRun, create_flow_run
from flows.implement_task import implement_task
from flows.run_batch import run_batch
from flows.worker_health import Here, end_batch, put_back, read_dead_batches, read_policy, read_workers
from flows.worker_lock import worker_lock
from flows.worker_states import labels_of, prefect_state, read_runs, remove_worker, tags_of, to_record
from parallel_workers.decisions.health_of_workers import SILENCE_SECONDS
from parallel_workers.health import BrokenRun, WorkerRun
from parallel_workers.lifecycle import WorkerState
from parallel_workers.locations import data_folder
from parallel_workers.spec import AgentProfile, TaskOrder, TaskSpec

NOBODY = Here(live=(), alone=True, known=(), quiet_seconds={})


def new_order() -> TaskOrder:
    name = uuid.uuid4().hex[:8]
    return TaskOrder(
        worker=f"worker-{name}",
        batch="p/b",
        project="p",
        repository="/repo",
        task=TaskSpec(id=f"T-{name}", description="do it", agent="a"),
        base_branch="main",
        branch=f"feature/t-{name}",
        worktree="/trees/p/t",
        agent=AgentProfile(command=("true",), stall_timeout=77.0),
    )


async def make_run(order: TaskOrder, state: State[Any], **changes: Any) -> FlowRun:
    given = {
        "name": order.task.id,
        "parameters": {"order": order.model_dump(mode="json")},
        "tags": tags_of(order),
        "labels": labels_of(order, "c"),
        "idempotency_key": order.worker,
    }
    async with get_client() as client:
        run = await create_flow_run(client, implement_task, NewRun(**{**given, **changes}))
        await client.set_flow_run_state(run.id, state, force=True)
        return await client.read_flow_run(run.id)


async def state_of(run: FlowRun) -> tuple[str, str]:
    async with get_client() as client:
        now = (await client.read_flow_run(run.id)).state
    assert now is not None
    return now.type.value, now.name or ""


async def look(run: FlowRun, here: Here = NOBODY) -> tuple[WorkerRun, BrokenRun | None]:
    runs, broken = await read_workers(here)
    (found,) = (each for each in runs if each.run_id == str(run.id))
    return found, next((each for each in broken if each.run_id == str(run.id)), None)


async def test_a_worker_is_told_with_what_this_machine_knows_of_it(prefect_server: ServerAddress) -> None:
    order = new_order()
    run = await make_run(order, prefect_state(WorkerState.WORKING, "at work"))
    found, broken = await look(run)
    assert (found.worker, found.task, found.state) == (order.worker, order.task.id, WorkerState.WORKING)
    assert (found.prefect_type, found.deployed, found.here, found.engine_alive) == ("RUNNING", False, True, False)
    assert (found.stall_seconds, found.quiet_seconds, found.heard_seconds, broken) == (77.0, None, None, None)
    elsewhere = Here(live=(order.worker,), alone=False, known=(), quiet_seconds={order.worker: 5.0})
    found, _ = await look(run, elsewhere)
    assert (found.here, found.engine_alive, found.quiet_seconds) == (False, True, 5.0)


@pytest.mark.parametrize(
    ("labels", "parameters", "said"),
    [
        ({}, None, "worker_id, task_id"),
        ({f"{LABEL_PREFIX}pr_number": "abc"}, None, "no number"),
        (None, {}, "parameter order"),
        (None, {"order": {"worker": "worker-1"}}, "parameter order.batch"),
    ],
)
async def test_a_run_that_cannot_be_read_is_told_and_stays_within_reach(
    prefect_server: ServerAddress, labels: dict[str, str] | None, parameters: dict[str, Any] | None, said: str
) -> None:
    order = new_order()
    damaged: dict[str, Any] = {} if parameters is None else {"parameters": parameters}
    if labels is not None:
        damaged["labels"] = {**(labels_of(order, "c") if labels else {}), **labels}
    run = await make_run(order, Running(), **damaged)
    _, broken = await look(run)
    assert broken is not None
    assert (broken.worker, broken.ended) == (order.worker, False)
    assert said in broken.trouble
    assert (await remove_worker(order.worker)).flow_run_id == str(run.id)
    async with get_client() as client:
        assert run.id not in {each.id for each in await read_runs(client)}


async def test_a_run_of_no_worker_is_only_told_as_such(prefect_server: ServerAddress) -> None:
    run = await make_run(new_order(), Running(), labels={}, idempotency_key=None)
    runs, broken = await read_workers(NOBODY)
    assert str(run.id) not in {each.run_id for each in runs}
    assert [each.worker for each in broken if each.run_id == str(run.id)] == [""]
    async with get_client() as client:
        await client.delete_flow_run(run.id)


async def test_an_order_that_only_an_ended_run_needs_is_no_trouble(prefect_server: ServerAddress) -> None:
    _, broken = await look(await make_run(new_order(), Failed(), parameters={}))
    assert broken is None


@pytest.mark.parametrize("state", [prefect_state(WorkerState.WORKING, ""), Running(), Pending()])
async def test_a_stranded_run_is_put_back(prefect_server: ServerAddress, state: State[Any]) -> None:
    run = await make_run(new_order(), state)
    assert await put_back(str(run.id)) == ""
    assert await state_of(run) == ("SCHEDULED", "UNKNOWN")
    assert "by now" in await put_back(str(run.id))


@pytest.mark.parametrize("state", [Completed(), Failed(), prefect_state(WorkerState.PR_OPEN, "")])
async def test_one_that_has_gone_on_meanwhile_is_left(prefect_server: ServerAddress, state: State[Any]) -> None:
    run = await make_run(new_order(), state)
    before = await state_of(run)
    assert "by now" in await put_back(str(run.id))
    assert await state_of(run) == before


async def test_one_that_an_engine_has_taken_up_is_left(prefect_server: ServerAddress) -> None:
    run = await make_run(new_order(), Running())
    with worker_lock(to_record(run).worker_id), pytest.raises(Timeout):
        await put_back(str(run.id))
    assert await state_of(run) == ("RUNNING", "Running")


async def heard_after_a_heartbeat(run: FlowRun) -> float:
    """Seconds since the heartbeat that is sent now, once the server has stored it."""
    resource = {"prefect.resource.id": f"prefect.flow-run.{run.id}"}
    event = {"id": str(uuid.uuid4()), "event": "prefect.flow-run.heartbeat", "resource": resource, "payload": {}}
    async with get_client() as client:
        await client.request("POST", "/events", json=[{**event, "occurred": datetime.now(UTC).isoformat()}])
    for _ in range(100):
        found, _broken = await look(run)
        if found.heard_seconds is not None:
            return found.heard_seconds
        await asyncio.sleep(0.1)
    raise AssertionError("the server does not tell of the heartbeat")


@pytest.mark.parametrize("as_it_was, ended_as", [(Running(), "Crashed"), (Cancelling(), "Cancelled")])
async def test_a_batch_is_told_of_once_its_engine_is_dead(
    prefect_server: ServerAddress, as_it_was: State[Any], ended_as: str
) -> None:
    async def told_of(run: FlowRun) -> bool:
        return str(run.id) in {batch.run_id for batch in await read_dead_batches()}

    async with get_client() as client:
        with engine_labels() as labels:
            new = NewRun("batch b", {"spec": "tasks: []"}, [PRODUCT_TAG], labels=labels)
            run = await create_flow_run(client, run_batch, new)
            await client.set_flow_run_state(run.id, as_it_was, force=True)
            assert not await told_of(run), "its engine lives"
            assert not await end_batch(str(run.id))
        assert await told_of(run)
        elsewhere = await create_flow_run(client, run_batch, new._replace(labels={**labels, SEAT: "another:/data"}))
        await client.set_flow_run_state(elsewhere.id, as_it_was, force=True)
        assert not await told_of(elsewhere)
    assert await end_batch(str(run.id))
    assert (await state_of(run))[1] == ended_as
    assert not await told_of(run)
    assert not await end_batch(str(run.id)), "it has ended"


async def test_a_deployed_run_without_a_heartbeat_is_scheduled_again(prefect_server: ServerAddress) -> None:
    order = new_order()
    async with get_client() as client:
        # it puts such runs back, too: where another test has registered it on this server, it would be quicker
        for shipped in await client.read_automations_by_name(ZOMBIE_RESUMED):
            await client.delete_automation(shipped.id)
        deployment = await client.create_deployment(await client.create_flow(implement_task), f"d-{order.worker}")
        run = await client.create_flow_run_from_deployment(
            deployment, parameters={"order": order.model_dump(mode="json")}, tags=tags_of(order)
        )
        await client.update_flow_run_labels(run.id, dict(labels_of(order, "c")))
        await client.set_flow_run_state(run.id, Running(), force=True)
        found, _ = await look(run)
        assert (found.deployed, found.heard_seconds) == (True, None)
        assert await heard_after_a_heartbeat(run) < 60
        assert await put_back(str(run.id)) == ""
        running_again = await state_of(run)
        await client.set_flow_run_state(run.id, Running(), force=True)
        await client.set_flow_run_state(run.id, Suspended(message="Suspended by Automation x", timeout_seconds=60))
        suspended, _ = await look(run)
        assert suspended.suspended_by_automation
        assert await put_back(str(run.id)) == ""
        assert (running_again[0], (await state_of(run))[0]) == ("SCHEDULED", "SCHEDULED")
        await client.delete_deployment(deployment)


def test_doctor_gives_a_run_up_when_the_automation_does() -> None:
    assert timedelta(seconds=SILENCE_SECONDS) == SILENCE


async def test_the_policy_block_and_its_root(prefect_server: ServerAddress, tmp_path: Path) -> None:
    name = f"doctor-{uuid.uuid4().hex[:8]}"
    missing, root = await read_policy(name)
    assert (root, missing.asked) == ("", True)
    assert f"no Worktree Policy block '{name}'" in missing.trouble
    await WorktreePolicy(worktree_root=str(tmp_path)).save(name)
    saved, root = await read_policy(name)
    assert (saved.trouble, root) == ("", str(tmp_path))


def types(command: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Type a command into a shell that has ours on its path, and this test's server."""
    ours = f'parallel-workers() {{ "{sys.executable}" -m parallel_workers.cli.main "$@"; }}; '
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        ["bash", "-c", ours + command], env=environment, cwd=home, capture_output=True, text=True, check=False
    )


async def test_each_command_that_is_printed_mends_what_it_is_printed_for(
    prefect_server: ServerAddress, make_repository: Callable[..., Path]
) -> None:
    name = f"doctor-{uuid.uuid4().hex[:8]}"
    repository = make_repository(name, {".parallel-workers.yml": f"worktree_policy: {name}\n"})
    runs = {
        "parallel-workers state set": await make_run(new_order(), prefect_state(WorkerState.WORKING, "at work")),
        "parallel-workers terminate": await make_run(new_order(), Cancelling()),
        "parallel-workers state remove": await make_run(new_order(), Running(), parameters={}),
        "prefect --no-prompt flow-run delete": await make_run(new_order(), Running(), labels={}, idempotency_key=None),
    }
    for run in runs.values():
        (data_folder().root / "runs" / to_record(run).worker_id).mkdir(parents=True, exist_ok=True)  # it ran here

    ids = {part for run in runs.values() for part in (str(run.id), to_record(run).worker_id) if part} | {name}

    def find_mends() -> list[str]:
        told = types("parallel-workers doctor --json", repository)
        mends = [each["mend"] for each in json.loads(told.stdout)["findings"] if each["severity"] == "problem"]
        return [mend for mend in mends if any(part in mend for part in ids)]

    mends = find_mends()
    assert all(any(known in mend for mend in mends) for known in (*runs, "WorktreePolicy")), mends
    for mend in mends:
        done = await asyncio.to_thread(types, mend, repository)
        assert done.returncode == 0, (mend, done.stderr)
    assert find_mends() == []
