"""Cancel, terminate, clean up, and the loop that carries on what waits."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.states import Cancelling

from deployments.embedded_server import ServerAddress
from flows.cancellation import LOOK_SECONDS
from flows.clean_up_workers import clean_up, terminate
from flows.run_batch import RunOptions, carry_out
from flows.watch_pull_requests import watch
from flows.worker_states import get_worker, list_workers, set_worker_state
from parallel_workers.identity import PULL_REF_PREFIX
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import WorkerRecord
from tests.agent_at_work import AgentAtWork, assert_ended_and_kept
from tests.conftest import Git
from tests.prefect.batches import WRITE_FILE, shell_batch
from tests.prefect.observers import Recorder

MakeRepository = Callable[..., Path]


async def worker_of(repository: Path, task_id: str) -> WorkerRecord:
    records = [each for each in await list_workers() if each.repository == str(repository)]
    return next(record for record in records if record.task_id == task_id)


async def test_each_way_to_cancel_ends_the_whole_agent_keeps_the_work_and_says_so(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository, names = make_repository(), ("UI", "PREFECT", "TERMINATED", "FORCED")
    agents = {name: AgentAtWork(tmp_path / name) for name in names}
    batch = shell_batch(
        repository, {**{name: {"shell": agents[name].shell} for name in names}, "other": {}}, max_workers=5
    )
    running = asyncio.create_task(carry_out(batch, options=RunOptions(worktree_root=str(tmp_path / "trees"))))
    processes = {name: await asyncio.to_thread(agents[name].wait_until_at_work) for name in names}
    workers = {name: await worker_of(repository, name) for name in names}
    assert {worker.state for worker in workers.values()} == {WorkerState.WORKING}

    async with get_client() as client:
        await client.set_flow_run_state(UUID(workers["UI"].flow_run_id), Cancelling())
    await asyncio.to_thread(cancel_by_prefect, workers["PREFECT"].flow_run_id)
    ended = await terminate(workers["TERMINATED"].worker_id, force=False)
    assert (ended.state, ended.prefect_state) == (WorkerState.UNKNOWN, "Cancelled")
    rescues: list[str | None] = []
    await terminate(workers["FORCED"].worker_id, force=True, on_removed=lambda _, ref: rescues.append(ref))

    outcome = await asyncio.wait_for(running, 120)
    assert {task.task_id: task.result for task in outcome.tasks} == {
        **dict.fromkeys(names, "cancelled"),
        "other": "merged",
    }
    (rescue,) = rescues
    assert rescue is not None
    git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "trees/sample/forced"), rescue)
    for name in names:
        record = await worker_of(repository, name)
        assert (record.state, record.prefect_state) == (WorkerState.UNKNOWN, "Cancelled"), name
        assert_ended_and_kept(processes[name], tmp_path / "trees/sample" / name.lower())


def cancel_by_prefect(run_id: str) -> None:
    """As somebody does with Prefect's own command."""
    subprocess.run([sys.executable, "-m", "prefect", "flow-run", "cancel", run_id], check=True, capture_output=True)


async def test_a_cancel_while_it_hands_in_lets_that_end_and_the_next_run_goes_on(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository = make_repository(bare_remote=True)
    hook, begun, go_on = repository.parent / "repo.git/hooks/pre-receive", tmp_path / "begun", tmp_path / "go on"
    waits = f"touch '{begun}'; while ! test -e '{go_on}'; do sleep 0.1; done"
    hook.write_text(f"#!/bin/sh\nif grep -q feature/t; then {waits}; fi\n", encoding="utf-8")
    hook.chmod(0o755)
    shell = f"echo x >> '{tmp_path}/runs'; {WRITE_FILE}"
    batch, options = shell_batch(repository, {"T": {"shell": shell}}), RunOptions(worktree_root=str(tmp_path / "trees"))
    running = asyncio.create_task(carry_out(batch, options=options))
    async with asyncio.timeout(120):
        while not begun.exists():  # noqa: ASYNC110 - another process tells
            await asyncio.sleep(0.1)
    worker = await worker_of(repository, "T")
    async with get_client() as client:
        await client.set_flow_run_state(UUID(worker.flow_run_id), Cancelling())
    await asyncio.sleep(LOOK_SECONDS + 1)
    go_on.touch()
    (task,) = (await asyncio.wait_for(running, 120)).tasks
    assert task.result == "cancelled"
    stopped = await worker_of(repository, "T")
    assert (stopped.state, stopped.prefect_state) == (WorkerState.UNKNOWN, "Cancelled")
    pushed = git(repository.parent / "repo.git", "rev-parse", "feature/t")
    assert pushed == git(tmp_path / "trees/sample/t", "rev-parse", "HEAD")

    (again,) = (await carry_out(batch, options=options)).tasks
    assert again.result == "merged"
    assert (tmp_path / "runs").read_text() == "x\n", "the agent is paid once"
    pulls = git(repository.parent / "repo.git", "for-each-ref", PULL_REF_PREFIX).splitlines()
    assert len(pulls) == 2, "head and record of one pull request"


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
    forced = await terminate(worker.worker_id, force=True)
    assert not (tmp_path / "trees/sample/t").exists()
    assert "worktree removed; branch feature/t is kept" in forced.reason, "it is no longer said that it is kept"
    assert "rescue restore" in forced.reason
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
