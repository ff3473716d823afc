"""A conflict leads to one rework, and then to the merge; of several, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.embedded_server import ServerAddress
from flows.run_batch import RunOptions, carry_out
from flows.watch_pull_requests import watch
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.spec import MergeMethod
from tests.conftest import Git
from tests.prefect.batches import shell_batch
from tests.prefect.conflicts import runs_of, settling_agent
from tests.prefect.histories import states_of
from tests.prefect.observers import Recorder

MakeRepository = Callable[..., Path]
FILES = {"README.md": "# a project\n", "shared.txt": "begin\n"}


@pytest.mark.parametrize("bare_remote", [True, False])
async def test_pull_requests_that_all_touch_one_file_are_all_merged_with_one_update_each(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path, *, bare_remote: bool
) -> None:
    repository, runs, count = make_repository("repo", FILES, bare_remote=bare_remote), tmp_path / "runs", 5
    tasks = {f"T-{number}": {"shell": settling_agent(runs, count)} for number in range(1, count + 1)}
    batch = shell_batch(repository, tasks, max_workers=count)
    outcome = await carry_out(batch, options=RunOptions(str(tmp_path / "trees"), poll_seconds=0.2))
    assert outcome.succeeded, outcome
    hosted = tmp_path / "repo.git" if bare_remote else repository
    assert sorted(git(hosted, "show", "main:shared.txt").split()) == sorted(["begin", *tasks])
    updates = sum(runs_of(runs, task_id) - 1 for task_id in tasks)
    print(f"{count} pull requests that touch one file: {updates} branch updates")  # noqa: T201 - what the test shows
    assert updates == count - 1, "each but the first is brought up to date once"
    for task in outcome.tasks:
        states = await states_of(task.flow_run_id)
        reworks = runs_of(runs, task.task_id) - 1
        expected = ["NEEDS_INIT", "WORKING", "PR_OPEN", *(["WORKING", "PR_OPEN"] * reworks), "MERGED"]
        assert states == expected, task


async def test_a_conflict_is_settled_while_a_person_is_to_merge(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository, runs, seen = make_repository("repo", FILES, bare_remote=True), tmp_path / "runs", Recorder()
    batch = shell_batch(repository, {"T": {"shell": settling_agent(runs)}}, merge="manual")
    options = RunOptions(str(tmp_path / "trees"), poll_seconds=0.2)
    running = asyncio.create_task(carry_out(batch, observer=seen, options=options))
    await seen.until_waits("a person to merge")
    (repository / "shared.txt").write_text("begin\ntheirs\n")
    git(repository, "commit", "--quiet", "--all", "--message", "feat: theirs")
    git(repository, "push", "--quiet", "origin", "main")
    forge = open_local_forge(repository)
    async with asyncio.timeout(60):
        while runs_of(runs, "T") < 2 or forge.look([1])[1].mergeable != "yes":  # noqa: ASYNC110 - another process tells
            await asyncio.sleep(0.1)
    head = forge.fetch_pull_request(1).head_sha
    assert sorted(git(tmp_path / "repo.git", "show", f"{head}:shared.txt").split()) == ["T", "begin", "theirs"]
    assert forge.merge_pull_request(1, MergeMethod.MERGE, head).outcome == "merged"
    (task,) = (await running).tasks
    assert task.result == "merged", task
    assert runs_of(runs, "T") == 2, "once for the task, once for the conflict"
    assert await states_of(task.flow_run_id) == [
        *("NEEDS_INIT", "WORKING", "PR_OPEN"),
        *("WORKING", "PR_OPEN", "MERGED"),
    ]


async def test_a_base_that_merges_cleanly_costs_no_agent(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    """A rebase of a branch that was merged into is in conflict, though a merge of the base into it is not."""
    repository, runs, seen = make_repository("repo", FILES, bare_remote=True), tmp_path / "runs", Recorder()
    shell = f"""
echo "$PARALLEL_WORKERS_TASK_ID" >> '{runs}'
echo one > shared.txt; git commit --quiet --all --message one
echo begin > shared.txt; git commit --quiet --all --message back
echo x > own.txt
"""
    batch = shell_batch(repository, {"T": {"shell": shell}}, merge="manual")
    options = RunOptions(str(tmp_path / "trees"), poll_seconds=0.2)
    running = asyncio.create_task(carry_out(batch, observer=seen, options=options))
    await seen.until_waits("a person to merge")
    (repository / "shared.txt").write_text("theirs\n")
    git(repository, "commit", "--quiet", "--all", "--message", "feat: theirs")
    git(repository, "push", "--quiet", "origin", "main")
    forge = open_local_forge(repository)
    assert forge.merge_pull_request(1, MergeMethod.REBASE).outcome == "conflict"
    assert forge.update_branch(1, forge.fetch_pull_request(1).head_sha) == ""
    assert forge.merge_pull_request(1, MergeMethod.MERGE).outcome == "merged"
    assert (await running).succeeded
    assert runs_of(runs, "T") == 1


async def test_an_agent_that_leaves_markers_is_told_and_then_a_person_is_asked(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository, runs, seen = make_repository("repo", FILES, bare_remote=True), tmp_path / "runs", Recorder()
    shell = f"echo x >> {runs}; test -e own.txt && exit 0; echo x > own.txt; echo m > shared.txt"
    batch = shell_batch(repository, {"T": {"shell": shell}}, merge="manual")
    options = RunOptions(str(tmp_path / "trees"), poll_seconds=0.2)
    running = asyncio.create_task(carry_out(batch, observer=seen, options=options))
    await seen.until_waits("a person to merge")
    (repository / "shared.txt").write_text("begin\ntheirs\n")
    git(repository, "commit", "--quiet", "--all", "--message", "feat: theirs")
    git(repository, "push", "--quiet", "origin", "main")
    await seen.until_waits("labelled parallel-workers:needs-human")
    forge = open_local_forge(repository)
    asked = forge.fetch_pull_request(1)
    assert "still in conflict after 3 rounds" in asked.reason
    assert "shared.txt" in asked.reason
    assert len(runs.read_text().splitlines()) == 4, "once for the task, three rounds for the conflict"
    assert "<<<<<<<" not in git(tmp_path / "repo.git", "show", "feature/t:shared.txt"), "nothing half done is pushed"
    forge.hand_back(1)
    await seen.until_waits("labelled parallel-workers:needs-human", times=2)
    assert len(runs.read_text().splitlines()) == 7, "handed back, it is tried again"
    forge.close_pull_request(1)
    (task,) = (await running).tasks
    assert task.result == "failed"


async def test_the_loop_takes_a_worker_that_nobody_runs_back_to_work(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository, runs, seen = make_repository("repo", FILES, bare_remote=True), tmp_path / "runs", Recorder()
    batch = shell_batch(repository, {"T": {"shell": settling_agent(runs)}}, merge="manual", project="looped")
    stop, options = asyncio.Event(), RunOptions(str(tmp_path / "trees"), poll_seconds=0.2)
    running = asyncio.create_task(carry_out(batch, observer=seen, stop=stop, options=options))
    await seen.until_waits("a person to merge")
    stop.set()
    (task,) = (await running).tasks
    (repository / "shared.txt").write_text("begin\ntheirs\n")
    git(repository, "commit", "--quiet", "--all", "--message", "feat: theirs")
    git(repository, "push", "--quiet", "origin", "main")
    for _ in range(2):
        assert await looked("looped") == 1
        assert runs_of(runs, "T") == 2, "once for the conflict, and for nothing else"
    assert open_local_forge(repository).merge_pull_request(1, MergeMethod.SQUASH).outcome == "merged"
    assert await looked("looped") == 0
    assert (await states_of(task.flow_run_id))[-4:] == ["PR_OPEN", "WORKING", "PR_OPEN", "MERGED"]
    assert git(repository, "branch", "--list", "feature/*") == ""


async def looked(project: str) -> int:
    """One look of the loop; how many workers wait after it."""
    waiting: list[int] = []
    await watch(
        project=project,
        poll_seconds=0.1,
        max_iterations=1,
        stop=asyncio.Event(),
        on_look=lambda records: waiting.append(len(records)),
    )
    return waiting[0]
