"""Global concurrency limits hold for workers of a foreground run as for any others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.exceptions import ObjectNotFound

from deployments.embedded_server import ServerAddress
from flows.limits import (
    COMMENT,
    PUSH,
    WRITES_PER_HOUR,
    WRITES_PER_MINUTE,
    agent_limit,
    ensure_work_limit,
    opening_writes,
    rate_limits,
    read_limits,
    take_writes,
    work_limit,
)
from flows.local_engine import LocalEngine, use_engine
from flows.run_batch import RunOptions, carry_out
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.pull_requests import PullRequestDraft
from parallel_workers.spec import ForgeKind, MergeMethod, TaskOrder
from tests.conftest import Git
from tests.prefect.batches import shell_batch
from tests.prefect.observers import Recorder
from tests.unit.test_prompts import make_order

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


async def test_writes_to_github_are_spread_and_other_forges_are_not_slowed(
    prefect_server: ServerAddress, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    repository = make_repository()
    outcome = await carry_out(shell_batch(repository, {"T": {}}), options=RunOptions(str(tmp_path / "trees")))
    async with get_client() as client:
        run = await client.read_flow_run(UUID(outcome.tasks[0].flow_run_id))
        order = TaskOrder.model_validate(run.parameters["order"])
        assert order.forge is ForgeKind.LOCAL
        # nobody waits for the hour's slots: who waits for the minute's must not wait as long as those take to come back
        slow, slower = ((WRITES_PER_MINUTE, 3, 1.0), (WRITES_PER_HOUR, 100, 1 / 3600))
        for name, limit, decay in (slow, slower):
            with suppress(ObjectNotFound):  # the server is shared, and `up` makes them too
                await client.delete_global_concurrency_limit_by_name(name)
            made = GlobalConcurrencyLimitCreate(name=name, limit=limit, slot_decay_per_second=decay)
            await client.create_global_concurrency_limit(made)
        try:
            assert await seconds_for_writes(order, 6) < 1
            limited = await seconds_for_writes(order, 6, kind=ForgeKind.GITHUB)
            # more in one call than the limit has slots
            assert 1 <= await seconds_for_writes(order, 1, kind=ForgeKind.GITHUB, of=5) < 30
        finally:
            await client.delete_global_concurrency_limit_by_name(WRITES_PER_MINUTE)
            await client.delete_global_concurrency_limit_by_name(WRITES_PER_HOUR)
    assert 2 <= limited < 30, "three at once, three more one after the other"


@flow(name="test-writes", validate_parameters=False)
async def seconds_for_writes(order: TaskOrder, writes: int, kind: ForgeKind = ForgeKind.LOCAL, of: int = 1) -> float:
    with use_engine(LocalEngine()):
        begun = time.monotonic()
        for _ in range(writes):
            await take_writes(order, kind, of)
        return time.monotonic() - begun


def test_rate_limits_stay_below_what_github_bears() -> None:
    per_minute, per_hour = rate_limits()
    for limit, seconds, most in ((per_minute, 60, 80), (per_hour, 3600, 500)):
        assert limit.slot_decay_per_second
        assert limit.limit + limit.slot_decay_per_second * seconds <= most
        assert limit.limit >= COMMENT, "one call must fit"


def test_all_that_opening_creates_is_counted_and_what_is_made_once_only_once() -> None:
    draft = PullRequestDraft("worker-1", "t", "b", "feature/a", "1" * 40, "main")
    order = make_order()
    with use_engine(LocalEngine()):
        assert opening_writes(order, draft) == 1
        full = draft._replace(
            labels=("phase:5", "type:task"), milestone="S", creates_milestone=True, reviewers=("r",), assignees=("a",)
        )
        assert opening_writes(order, full) == 1 + 4 + 3
        assert opening_writes(order, full._replace(labels=("PHASE:5", "type:docs"))) == 1 + 4 + 1


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


async def test_deleting_a_merged_branch_on_the_remote_takes_a_slot_for_pushes(
    prefect_server: ServerAddress,
    make_repository: Callable[..., Path],
    tmp_path: Path,
    git: Git,
    caplog: pytest.LogCaptureFixture,
) -> None:
    repository, seen = make_repository(bare_remote=True), Recorder()
    batch = shell_batch(repository, {"T": {}}, merge="manual")
    async with get_client() as client:
        with suppress(ObjectNotFound):  # the server is shared, and `up` makes it too
            await client.delete_global_concurrency_limit_by_name(PUSH)
        await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=PUSH, limit=1))
        try:
            options = RunOptions(str(tmp_path / "trees"), poll_seconds=0.2)
            running = asyncio.create_task(carry_out(batch, observer=seen, options=options))
            await seen.until_waits("a person to merge")
            await client.update_global_concurrency_limit(PUSH, GlobalConcurrencyLimitUpdate(active_slots=1))
            open_local_forge(repository).merge_pull_request(1, MergeMethod.MERGE)
            async with asyncio.timeout(90):
                while f"waits for a slot of {PUSH}" not in caplog.text and not running.done():  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert not running.done()
            assert git(repository, "ls-remote", "origin", "feature/t")
            await client.update_global_concurrency_limit(PUSH, GlobalConcurrencyLimitUpdate(active_slots=0))
            assert (await running).succeeded
        finally:
            await client.delete_global_concurrency_limit_by_name(PUSH)
    assert git(repository, "ls-remote", "origin", "feature/t") == ""
