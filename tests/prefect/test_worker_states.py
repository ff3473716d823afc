"""Worker states on Prefect: found, set, moved, refused, forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.embedded_server import ServerAddress
from flows.run_batch import RunOptions, carry_out
from flows.worker_states import (
    get_worker,
    list_workers,
    read_worker_logs,
    remove_worker,
    set_worker_state,
    transition_worker,
)
from parallel_workers.errors import TransitionError, UsageError
from parallel_workers.lifecycle import WorkerState
from tests.prefect.batches import shell_batch

MakeRepository = Callable[..., Path]


@pytest.fixture
async def workers(prefect_server: ServerAddress, make_repository: MakeRepository, tmp_path: Path) -> dict[str, str]:
    """Task id to worker id of a merged worker and of a failed one."""
    tasks: dict[str, dict[str, object]] = {
        "merges": {"shell": "echo hello; echo x > x.txt"},
        "fails": {"shell": "exit 4"},
    }
    batch = shell_batch(make_repository(), tasks)
    outcome = await carry_out(batch, options=RunOptions(worktree_root=str(tmp_path / "trees")))
    return {task.task_id: task.worker_id for task in outcome.tasks}


async def test_a_worker_is_found_by_its_id_and_tells_all_keys(workers: dict[str, str]) -> None:
    record = await get_worker(workers["merges"])
    assert (record.task_id, record.state, record.branch) == ("merges", WorkerState.MERGED, "feature/merges")
    assert record.pr_number == 1
    assert record.pr_url
    assert record.flow_run_id
    assert record.correlation_id
    assert record.created_at <= record.updated_at
    failed = await get_worker(workers["fails"])
    assert (failed.state, failed.prefect_state) == (WorkerState.UNKNOWN, "Failed")
    assert "4" in failed.reason


async def test_an_unknown_worker_is_refused_with_the_nearest(workers: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"no worker .*did you mean worker-"):
        await get_worker(workers["merges"][:-1])


async def test_workers_are_listed_by_state_and_project(workers: dict[str, str]) -> None:
    merged = {record.worker_id for record in await list_workers(state=WorkerState.MERGED)}
    assert workers["merges"] in merged
    assert workers["fails"] not in merged
    assert await list_workers(project="no-such-project") == ()


async def test_only_allowed_transitions_are_made_and_the_refusal_names_them(workers: dict[str, str]) -> None:
    with pytest.raises(TransitionError, match="none: it is terminal"):
        await set_worker_state(workers["merges"], WorkerState.UNKNOWN, "again")
    with pytest.raises(TransitionError, match="from UNKNOWN: NEEDS_INIT"):
        await transition_worker(workers["fails"], WorkerState.UNKNOWN, WorkerState.MERGED)
    with pytest.raises(TransitionError, match="is in UNKNOWN, not in WORKING"):
        await transition_worker(workers["fails"], WorkerState.WORKING, WorkerState.PR_OPEN)
    moved = await transition_worker(workers["fails"], WorkerState.UNKNOWN, WorkerState.NEEDS_INIT)
    assert moved.state is WorkerState.NEEDS_INIT


async def test_set_unknown_makes_a_corrupted_worker_runnable_again(
    prefect_server: ServerAddress, make_repository: MakeRepository, tmp_path: Path
) -> None:
    repository, ready = make_repository(), tmp_path / "ready"
    batch = shell_batch(repository, {"T": {"shell": f"test -e {ready} && echo x > x.txt"}})
    options = RunOptions(worktree_root=str(tmp_path / "trees"))
    worker = (await carry_out(batch, options=options)).tasks[0].worker_id
    await transition_worker(worker, WorkerState.UNKNOWN, WorkerState.NEEDS_INIT)
    await transition_worker(worker, WorkerState.NEEDS_INIT, WorkerState.WORKING)
    again = await set_worker_state(worker, WorkerState.UNKNOWN, "stuck in WORKING")
    assert again.state is WorkerState.UNKNOWN
    ready.touch()
    outcome = await carry_out(batch, options=options)
    assert outcome.tasks[0].result == "merged"


async def test_a_worker_is_forgotten_on_request(workers: dict[str, str]) -> None:
    await remove_worker(workers["fails"])
    with pytest.raises(UsageError):
        await get_worker(workers["fails"])
    assert (await get_worker(workers["merges"])).state is WorkerState.MERGED


async def test_logs_hold_the_agents_output(workers: dict[str, str]) -> None:
    for _ in range(20):  # Prefect sends log lines every two seconds
        lines = [line async for line in read_worker_logs(workers["merges"])]
        if any(line.endswith(" hello") for line in lines):
            break
        await asyncio.sleep(0.5)
    assert any(line.endswith(" hello") for line in lines)
