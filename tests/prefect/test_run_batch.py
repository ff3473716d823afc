"""A batch from spec to merged, on a real Prefect server, real git and real agents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from deployments.embedded_server import ServerAddress
from flows.run_batch import RunOptions, carry_out
from flows.worker_states import list_workers
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import BatchOutcome
from tests.conftest import Git
from tests.prefect.batches import shell_batch
from tests.prefect.observers import Recorder

MakeRepository = Callable[..., Path]


def results(outcome: BatchOutcome) -> dict[str, str]:
    return {task.task_id: task.result for task in outcome.tasks}


async def run(repository: Path, tasks: dict[str, dict[str, object]], root: Path, **options: object) -> BatchOutcome:
    batch = shell_batch(repository, tasks, **options)
    return await carry_out(batch, options=RunOptions(worktree_root=str(root), poll_seconds=0.2))


async def test_one_task_goes_from_spec_to_merged_and_leaves_nothing_behind(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository, seen = make_repository(), Recorder()
    batch = shell_batch(repository, {"TASK-001": {"shell": "echo working; echo done > done.txt"}})
    options = RunOptions(worktree_root=str(tmp_path / "trees"))
    outcome = await carry_out(batch, observer=seen, options=options)
    assert results(outcome) == {"TASK-001": "merged"}
    states = [state for task, state in seen.states if task == "TASK-001"]
    assert states == [WorkerState.NEEDS_INIT, WorkerState.WORKING, WorkerState.PR_OPEN]
    assert ("TASK-001", "working") in seen.lines
    assert git(repository, "show", "main:done.txt") == "done"
    assert (repository / "done.txt").read_text() == "done\n", "a clean checkout of the base is brought along"
    assert git(repository, "branch", "--list", "feature/*") == ""
    assert git(repository, "worktree", "list", "--porcelain").count("worktree ") == 1
    assert git(repository, "for-each-ref", "refs/parallel-workers/workers") == ""
    worker = next(record for record in await list_workers() if record.worker_id == outcome.tasks[0].worker_id)
    assert worker.state is WorkerState.MERGED
    assert worker.pr_number == 1


async def test_dependants_wait_for_the_merge_and_a_failure_skips_only_descendants(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository = make_repository(bare_remote=True)
    outcome = await run(
        repository,
        {
            "first": {"shell": "echo 1 > first.txt"},
            "second": {"shell": "cat first.txt > second.txt", "dependencies": ("first",)},
            "breaks": {"shell": "echo half > half.txt; echo sorry >&2; exit 3"},
            "below": {"dependencies": ("breaks",)},
            "further-below": {"dependencies": ("below",)},
        },
        tmp_path / "trees",
    )
    assert results(outcome) == {
        "first": "merged",
        "second": "merged",
        "breaks": "failed",
        "below": "skipped",
        "further-below": "skipped",
    }
    by_id = {task.task_id: task for task in outcome.tasks}
    assert "sorry" in by_id["breaks"].reason
    assert "breaks" in by_id["below"].reason
    assert git(tmp_path / "repo.git", "show", "main:second.txt") == "1"
    kept = tmp_path / "trees" / "sample" / "breaks" / "half.txt"
    assert kept.read_text() == "half\n", "the work of a failed task is kept"


async def test_running_again_repeats_nothing_and_finishes_what_failed(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository, ready = make_repository(), tmp_path / "ready"
    tasks: dict[str, dict[str, object]] = {
        "done": {"shell": f"echo x >> {tmp_path}/runs; echo x > done.txt"},
        "fails-once": {"shell": f"echo kept > kept.txt; test -e {ready} && echo y > later.txt"},
    }
    first = await run(repository, tasks, tmp_path / "trees")
    assert results(first) == {"done": "merged", "fails-once": "failed"}
    ready.touch()
    second = await run(repository, tasks, tmp_path / "trees")
    assert results(second) == {"done": "merged", "fails-once": "merged"}
    assert [task.already_done for task in second.tasks] == [True, False]
    assert (tmp_path / "runs").read_text() == "x\n", "a merged task is not done again"
    assert git(repository, "show", "main:kept.txt") == "kept"
    workers = [record for record in await list_workers(batch="sample/tasks") if record.repository == str(repository)]
    assert len(workers) == 2, "a worker is exactly one flow run, however often it is run"


async def test_no_change_needed_is_a_result_and_nothing_done_is_a_failure(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository = make_repository()
    outcome = await run(
        repository,
        {
            "nothing-to-do": {"shell": "echo 'PARALLEL_WORKERS_RESULT: no-change-needed it is there already'"},
            "lazy": {"shell": "true"},
            "after": {"dependencies": ("nothing-to-do",)},
        },
        tmp_path / "trees",
    )
    assert results(outcome) == {"nothing-to-do": "no_change", "lazy": "failed", "after": "merged"}
    assert "it is there already" in outcome.tasks[0].reason
    assert outcome.tasks[0].pr_url is None


async def test_a_failing_gate_goes_back_to_the_agent_with_its_text(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository = make_repository()
    shell = 'cp "$PARALLEL_WORKERS_PROMPT_FILE" prompt.txt; echo x >> rounds.txt'
    gate = "test $(wc -l < rounds.txt) -ge 2 || { echo too few rounds; exit 1; }"
    outcome = await run(
        repository, {"T": {"shell": shell}}, tmp_path / "trees", gates=({"name": "enough", "run": gate},)
    )
    assert results(outcome) == {"T": "merged"}
    assert git(repository, "show", "main:rounds.txt") == "x\nx"
    assert "too few rounds" in git(repository, "show", "main:prompt.txt")


async def test_stopping_keeps_work_and_state_and_running_again_goes_on(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository, stop = make_repository(), asyncio.Event()
    started = tmp_path / "started"
    shell = f"echo some > some.txt; test -e {started} || {{ touch {started}; sleep 60; }}"
    batch = shell_batch(repository, {"long": {"shell": shell}, "next": {"dependencies": ("long",)}})
    options = RunOptions(worktree_root=str(tmp_path / "trees"))
    running = asyncio.create_task(carry_out(batch, stop=stop, options=options))
    while not started.exists():  # noqa: ASYNC110 - another process makes the file
        await asyncio.sleep(0.02)
    stop.set()
    outcome = await asyncio.wait_for(running, 20)
    assert results(outcome) == {"long": "cancelled", "next": "cancelled"}
    assert (tmp_path / "trees/sample/long/some.txt").exists()
    again = await carry_out(batch, options=options)
    assert results(again) == {"long": "merged", "next": "merged"}
    assert git(repository, "show", "main:some.txt") == "some"


async def test_a_person_merges_with_plain_git_and_it_is_noticed(
    prefect_server: ServerAddress, make_repository: MakeRepository, git: Git, tmp_path: Path
) -> None:
    repository, seen = make_repository(), Recorder()
    batch = shell_batch(repository, {"T": {}}, merge="manual")
    options = RunOptions(worktree_root=str(tmp_path / "trees"), poll_seconds=0.2)
    running = asyncio.create_task(carry_out(batch, observer=seen, options=options))
    await seen.until("T", WorkerState.PR_OPEN)
    git(repository, "merge", "--quiet", "--no-edit", "feature/t")
    outcome = await asyncio.wait_for(running, 20)
    assert results(outcome) == {"T": "merged"}
    assert git(repository, "branch", "--list", "feature/*") == ""
