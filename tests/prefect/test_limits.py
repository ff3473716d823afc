"""Global concurrency limits hold for workers of a foreground run as for any others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate

from deployments.embedded_server import ServerAddress
from flows.limits import agent_limit, ensure_work_limit, read_limits, work_limit
from flows.run_batch import RunOptions, carry_out
from tests.prefect.batches import shell_batch

# An agent that finds another one at work says so.
ALONE = 'mkdir "{busy}" || touch "{met}"; sleep 0.5; rmdir "{busy}"; echo x > "$PARALLEL_WORKERS_TASK_ID.txt"'


@pytest.mark.parametrize("limit", [work_limit("limited"), agent_limit("/bin/sh"), None])
async def test_a_limit_of_one_lets_one_agent_work_at_a_time(
    prefect_server: ServerAddress, make_repository: Callable[..., Path], tmp_path: Path, limit: str | None
) -> None:
    busy, met = tmp_path / "busy", tmp_path / "met"
    tasks = {f"T-{number}": {"shell": ALONE.format(busy=busy, met=met)} for number in (1, 2, 3)}
    batch = shell_batch(make_repository(), tasks, project="limited", max_workers=3)
    async with get_client() as client:
        if limit is not None:
            await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=limit, limit=1))
        try:
            options = RunOptions(worktree_root=str(tmp_path / "trees"), poll_seconds=0.2)
            outcome = await carry_out(batch, options=options)
            held = await client.read_global_concurrency_limits(limit=100, offset=0)
        finally:
            if limit is not None:
                await client.delete_global_concurrency_limit_by_name(limit)
    assert outcome.succeeded, outcome
    assert met.exists() is (limit is None)
    assert [each.active_slots for each in held if each.name == limit] == ([0] if limit else [])


async def test_what_an_operator_set_stays(prefect_server: ServerAddress) -> None:
    async with get_client() as client:
        await ensure_work_limit(client, "Kept Project", 2)
        await ensure_work_limit(client, "Kept Project", 5)
        assert work_limit("kept-project") in await read_limits()
        limit = await client.read_global_concurrency_limit_by_name(work_limit("kept-project"))
    assert limit.limit == 2


async def test_a_worker_that_waits_for_a_slot_hears_a_stop_and_a_slot_that_is_held_is_given_back(
    prefect_server: ServerAddress, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    batch, stop = shell_batch(make_repository(), {"T": {}}, project="full"), asyncio.Event()
    async with get_client() as client:
        full = GlobalConcurrencyLimitCreate(name=work_limit("full"), limit=1, active_slots=1)
        await client.create_global_concurrency_limit(full)
        try:
            running = asyncio.create_task(carry_out(batch, stop=stop, options=RunOptions(str(tmp_path / "trees"))))
            await asyncio.sleep(3)
            assert not running.done()
            stop.set()
            (task,) = (await asyncio.wait_for(running, 20)).tasks
        finally:
            await client.delete_global_concurrency_limit_by_name(work_limit("full"))
    assert task.result == "cancelled"
    assert "stopped by the user" in task.reason
