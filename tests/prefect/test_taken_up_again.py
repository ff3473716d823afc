"""Running again after something happened in between: nothing is lost, done twice, or believed without looking."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.states import Running

from deployments.embedded_server import ServerAddress
from flows.clean_up_workers import terminate
from flows.implement_task import implement_task
from flows.run_batch import RunOptions, carry_out
from flows.watch_pull_requests import watch
from flows.wiring import open_workplace
from flows.worker_states import get_worker, list_workers
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import BatchOutcome, TaskOutcome
from parallel_workers.spec import BatchSpec
from tests.conftest import Git
from tests.prefect.batches import shell_batch
from tests.prefect.observers import Recorder


class Place(NamedTuple):
    """A repository, where its worktrees go, and a file that counts how often an agent ran."""

    repository: Path
    options: RunOptions
    runs: Path

    def batch(self, **options: object) -> BatchSpec:
        shell = f"echo x >> {self.runs}; echo done > done.txt"
        return shell_batch(self.repository, {"T": {"shell": shell}}, **options)

    def runs_made(self) -> int:
        return len(self.runs.read_text().splitlines())


@pytest.fixture
def place(prefect_server: ServerAddress, make_repository: Callable[..., Path], tmp_path: Path) -> Place:
    options = RunOptions(worktree_root=str(tmp_path / "trees"), poll_seconds=0.2)
    return Place(make_repository(), options, tmp_path / "runs")


async def run_until_open(place: Place, batch: BatchSpec) -> TaskOutcome:
    """Run until the pull request is open, then stop in good order."""
    seen, stop = Recorder(), asyncio.Event()
    running = asyncio.create_task(carry_out(batch, observer=seen, stop=stop, options=place.options))
    await seen.until("T", WorkerState.PR_OPEN)
    stop.set()
    return (await running).tasks[0]


async def only(outcome: BatchOutcome) -> TaskOutcome:
    assert len(outcome.tasks) == 1
    return outcome.tasks[0]


async def test_work_that_vanished_from_the_branch_is_done_again_and_not_believed(place: Place, git: Git) -> None:
    await run_until_open(place, place.batch(merge="manual"))
    git(place.repository, "worktree", "remove", "--force", str(Path(place.options.worktree_root or "") / "sample/t"))
    git(place.repository, "branch", "-D", "feature/t")
    outcome = await only(await carry_out(place.batch(merge="auto"), options=place.options))
    assert outcome.result == "merged"
    assert git(place.repository, "show", "main:done.txt") == "done"
    assert place.runs_made() == 2


async def test_what_the_agent_cannot_see_does_not_make_it_run_again(place: Place) -> None:
    await run_until_open(place, place.batch(merge="manual"))
    options = place.options._replace(poll_seconds=0.3)
    outcome = await only(await carry_out(place.batch(merge="auto", merge_method="squash"), options=options))
    assert outcome.result == "merged"
    assert place.runs_made() == 1


async def test_killed_after_the_clean_up_is_merged_and_not_done_twice(place: Place) -> None:
    first = await only(await carry_out(place.batch(), options=place.options))
    async with get_client() as client:
        await client.set_flow_run_state(UUID(first.flow_run_id), Running(), force=True)
    again = await only(await carry_out(place.batch(), options=place.options))
    assert again.result == "merged"
    assert place.runs_made() == 1


async def test_a_repository_made_anew_is_not_believed_to_hold_what_was_merged(place: Place, git: Git) -> None:
    await carry_out(place.batch(), options=place.options)
    git(place.repository, "update-ref", "refs/heads/main", "main~1")
    outcome = await only(await carry_out(place.batch(), options=place.options))
    assert outcome.result == "failed"
    assert "is not in main now" in outcome.reason
    assert "state remove" in outcome.reason


async def test_a_pull_request_that_a_person_closed_is_not_opened_again(place: Place) -> None:
    await run_until_open(place, place.batch(merge="manual"))
    forge = open_workplace(str(place.repository)).forge
    forge.close_pull_request(1)
    outcome = await only(await carry_out(place.batch(merge="auto"), options=place.options))
    assert outcome.result == "failed"
    assert "#1 was closed without being merged" in outcome.reason
    assert len(forge.fetch_pull_requests(include_ended=True)) == 1


async def test_what_a_prefect_worker_runs_on_another_machine_is_left_to_it(place: Place) -> None:
    first = await run_until_open(place, place.batch(merge="manual"))
    async with get_client() as client:
        await client.delete_flow_run(UUID(first.flow_run_id))
        deployment = await client.create_deployment(await client.create_flow(implement_task), "elsewhere")
        elsewhere = await client.create_flow_run_from_deployment(
            deployment, idempotency_key=first.worker_id, tags=["parallel-workers"]
        )
        await client.set_flow_run_state(elsewhere.id, Running(name="WORKING"), force=True)
        outcome = await only(await carry_out(place.batch(merge="auto"), options=place.options))
        state = (await client.read_flow_run(elsewhere.id)).state
        await client.delete_deployment(deployment)
    assert outcome.result == "failed"
    assert "a Prefect worker has it (WORKING)" in outcome.reason
    assert state is not None
    assert state.name == "WORKING"
    assert place.runs_made() == 1


async def test_the_loop_lets_go_of_a_worker_whose_merge_has_to_wait(place: Place, git: Git) -> None:
    (place.repository / "README.md").write_text("not committed\n")
    first = await run_until_open(place, place.batch(merge="auto"))
    looks: list[int] = []

    async def look() -> None:
        await watch(
            project="sample",
            poll_seconds=0.1,
            max_iterations=1,
            stop=asyncio.Event(),
            on_look=lambda waiting: looks.append(sum(each.worker_id == first.worker_id for each in waiting)),
        )

    await asyncio.wait_for(look(), 30)
    assert looks == [1], "a dirty checkout of the base makes the merge wait"
    git(place.repository, "checkout", "--", "README.md")
    await asyncio.wait_for(look(), 30)
    assert (await get_worker(first.worker_id)).state is WorkerState.MERGED
    assert place.runs_made() == 1


async def test_a_merge_that_is_put_off_at_every_look_is_not_tried_for_ever(place: Place) -> None:
    (place.repository / "README.md").write_text("not committed\n")
    outcome = await only(await carry_out(place.batch(review_timeout=3), options=place.options))
    assert outcome.result == "failed"
    assert "review_timeout" in outcome.reason


async def test_the_loop_goes_by_the_newest_order_and_survives_a_lost_repository(
    place: Place, git: Git, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    lost = Place(make_repository("lost"), place.options._replace(worktree_root=str(tmp_path / "t2")), tmp_path / "r2")
    await run_until_open(lost, lost.batch(merge="manual", project="orders"))
    shutil.rmtree(lost.repository)
    broken = shell_batch(place.repository, {"T": {"shell": "exit 9"}}, merge="manual", project="orders")
    await carry_out(broken, options=place.options)
    first = await run_until_open(place, place.batch(merge="manual", project="orders"))
    git(place.repository, "merge", "--quiet", "--no-edit", "feature/t")
    looks: list[int] = []
    await watch(
        project="orders",
        poll_seconds=0.1,
        max_iterations=1,
        stop=asyncio.Event(),
        on_look=lambda waiting: looks.append(len(waiting)),
    )
    assert (await get_worker(first.worker_id)).state is WorkerState.MERGED
    assert looks == [1], "the worker of the lost repository still waits"


async def test_a_second_engine_waits_and_tells_how_it_ended(place: Place, tmp_path: Path) -> None:
    go, begun = tmp_path / "go", tmp_path / "begun"
    wait = f"echo $PARALLEL_WORKERS_TASK_ID >> {begun}; while ! test -e {go}; do sleep 0.1; done; "
    tasks = {"T": "echo x > x.txt", "fails": "exit 3", "ended": "sleep 600"}
    batch = shell_batch(
        place.repository,
        {**{name: {"shell": wait + line} for name, line in tasks.items()}, "next": {"dependencies": ("T",)}},
        max_workers=4,
    )
    first_seen, second_seen = Recorder(), Recorder()
    first = asyncio.create_task(carry_out(batch, observer=first_seen, options=place.options))
    for name in tasks:
        await first_seen.until(name, WorkerState.WORKING)
    second = asyncio.create_task(carry_out(batch, observer=second_seen, options=place.options))
    await second_seen.until_waits("another engine on this machine is running it", times=3)
    go.touch()
    (worker,) = [
        each for each in await list_workers() if each.task_id == "ended" and each.repository == str(place.repository)
    ]
    await terminate(worker.worker_id, force=False)
    outcomes = await asyncio.wait_for(asyncio.gather(first, second), 120)
    for outcome in outcomes:
        results = {task.task_id: task.result for task in outcome.tasks}
        assert results == {"T": "merged", "fails": "failed", "ended": "cancelled", "next": "merged"}
    reasons = [{task.task_id: task.reason for task in outcome.tasks}["fails"] for outcome in outcomes]
    assert reasons[0] == reasons[1]
    assert sorted(begun.read_text().split()) == sorted(tasks), "no agent ran twice"


async def test_what_set_up_leaves_behind_is_not_taken_for_work(place: Place) -> None:
    batch = shell_batch(place.repository, {"T": {"shell": "echo nothing done"}}, setup=("echo junk > generated.lock",))
    outcome = await only(await carry_out(batch, options=place.options))
    assert outcome.result == "failed"
    assert "generated.lock" in outcome.reason
    assert ".gitignore" in outcome.reason
