"""Cancel, terminate, clean up, and the loop that carries on what waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.states import Cancelling

from deployments.embedded_server import ServerAddress
from flows.clean_up_workers import clean_up, terminate
from flows.run_batch import RunOptions, carry_out
from flows.watch_pull_requests import watch
from flows.worker_states import get_worker, list_workers, set_worker_state
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import WorkerRecord
from tests.conftest import Git
from tests.prefect.batches import shell_batch
from tests.prefect.observers import Recorder

MakeRepository = Callable[..., Path]


async def worker_of(repository: Path, task_id: str) -> WorkerRecord:
    records = [each for each in await list_workers() if each.repository == str(repository)]
    return next(record for record in records if record.task_id == task_id)


async def test_cancel_in_the_ui_ends_the_agent_and_keeps_the_work(
    prefect_server: ServerAddress, make_repository: MakeRepository, tmp_path: Path
) -> None:
    repository, seen = make_repository(), Recorder()
    batch = shell_batch(repository, {"T": {"shell": "echo some > some.txt; sleep 60"}, "other": {}})
    options = RunOptions(worktree_root=str(tmp_path / "trees"))
    running = asyncio.create_task(carry_out(batch, observer=seen, options=options))
    await seen.until("T", WorkerState.WORKING)
    run_id = UUID((await worker_of(repository, "T")).flow_run_id)
    async with get_client() as client:
        await client.set_flow_run_state(run_id, Cancelling())
    outcome = await asyncio.wait_for(running, 30)
    assert {task.task_id: task.result for task in outcome.tasks} == {"T": "cancelled", "other": "merged"}
    record = await worker_of(repository, "T")
    assert (record.state, record.prefect_state) == (WorkerState.UNKNOWN, "Cancelled")
    assert (tmp_path / "trees/sample/t").is_dir()


async def test_terminate_ends_a_worker_and_with_force_saves_its_work_before_removing(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository = make_repository()
    batch = shell_batch(repository, {"T": {"shell": "echo precious > precious.txt; exit 1"}})
    await carry_out(batch, options=RunOptions(worktree_root=str(tmp_path / "trees")))
    worker = await worker_of(repository, "T")
    ended = await terminate(worker.worker_id, force=False)
    assert ended.prefect_state == "Cancelled"
    assert (tmp_path / "trees/sample/t/precious.txt").exists()
    await terminate(worker.worker_id, force=True)
    assert not (tmp_path / "trees/sample/t").exists()
    rescued = git(repository, "for-each-ref", "--format=%(refname)", "refs/parallel-workers/rescue/")
    assert git(repository, "show", f"{rescued}:precious.txt") == "precious"


async def test_clean_up_removes_what_is_safe_and_says_why_it_keeps_the_rest(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository = make_repository()
    shell = {"clean": "git commit -q --allow-empty -m c; exit 1", "dirty": "echo x > x.txt; exit 1"}
    batch = shell_batch(repository, {name: {"shell": line} for name, line in shell.items()}, project="cleaning")
    await carry_out(batch, options=RunOptions(worktree_root=str(tmp_path / "trees")))
    cleaned = {each.task_id: each for each in await clean_up((WorkerState.UNKNOWN,), "cleaning")}
    assert cleaned["clean"].removed
    assert not (tmp_path / "trees/cleaning/clean").exists()
    assert git(repository, "branch", "--list", "feature/clean") != "", "commits are kept"
    assert not cleaned["dirty"].removed
    assert "x.txt" in cleaned["dirty"].reason
    assert (tmp_path / "trees/cleaning/dirty/x.txt").exists()


async def test_the_loop_carries_on_workers_whose_pull_request_was_merged_meanwhile(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository, seen, stop = make_repository(), Recorder(), asyncio.Event()
    batch = shell_batch(repository, {"T": {}}, merge="manual", project="looping")
    options = RunOptions(worktree_root=str(tmp_path / "trees"), poll_seconds=0.2)
    running = asyncio.create_task(carry_out(batch, observer=seen, stop=stop, options=options))
    await seen.until("T", WorkerState.PR_OPEN)
    stop.set()
    await running
    worker = await worker_of(repository, "T")
    assert worker.state is WorkerState.PR_OPEN, "an orderly stop keeps the state"
    looks: list[int] = []
    again = asyncio.Event()
    await watch(
        project="looping",
        poll_seconds=0.1,
        max_iterations=1,
        stop=again,
        on_look=lambda waiting: looks.append(len(waiting)),
    )
    assert looks == [1], "still waiting: nobody has merged"
    git(repository, "merge", "--quiet", "--no-edit", "feature/t")
    await watch(
        project="looping",
        poll_seconds=0.1,
        max_iterations=1,
        stop=again,
        on_look=lambda waiting: looks.append(len(waiting)),
    )
    assert looks == [1, 0]
    assert (await get_worker(worker.worker_id)).state is WorkerState.MERGED
    assert git(repository, "branch", "--list", "feature/*") == ""


async def test_a_cancelled_worker_is_runnable_again(
    prefect_server: ServerAddress, make_repository: MakeRepository, tmp_path: Path
) -> None:
    repository = make_repository()
    batch = shell_batch(repository, {"T": {"shell": "test -e again.txt || { echo x > again.txt; exit 1; }"}})
    options = RunOptions(worktree_root=str(tmp_path / "trees"))
    await carry_out(batch, options=options)
    worker = await worker_of(repository, "T")
    await terminate(worker.worker_id, force=False)
    await set_worker_state(worker.worker_id, WorkerState.UNKNOWN, "try again")
    assert (await carry_out(batch, options=options)).tasks[0].result == "merged"
