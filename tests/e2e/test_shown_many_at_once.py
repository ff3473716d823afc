"""Twenty workers at once on one clone: git's locks must not get in each other's way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Git
from tests.e2e.prefect_view import read_logs, read_task_runs
from tests.e2e.product import Product, write_batch

COUNT = 20
GIT_LOCK_MESSAGES = (".lock", "cannot lock ref", "unable to lock", "another git process", "bad object")


def test_twenty_tasks_at_once(product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git) -> None:
    clone = make_repository(bare_remote=True)
    ids = [f"TASK-{number:02}" for number in range(COUNT)]
    spec = write_batch(tmp_path / "twenty.yml", clone, [{"id": each} for each in ids], max_workers=COUNT)
    done = product.run(spec)
    assert done.exit_code == 0, done.stderr
    assert done.results() == dict.fromkeys(ids, "merged")

    runs = [task["flow_run_id"] for task in done.data["tasks"]]
    said = "\n".join([done.stderr, *(line for run in runs for line in read_logs(product, run))])
    assert [message for message in GIT_LOCK_MESSAGES if message in said] == []
    # A lock failure that a retry has hidden would be one all the same.
    steps = {run: read_task_runs(product, run) for run in runs}
    assert all(steps.values())
    assert [step.name for run in runs for step in steps[run] if step.run_count > 1] == []

    remote = tmp_path / "repo.git"
    there = git(remote, "ls-tree", "--name-only", "main").splitlines()
    assert {f"{each}.txt" for each in ids} <= set(there)
    assert "feature/" not in git(remote, "for-each-ref") + git(clone, "for-each-ref")
    assert len(git(clone, "worktree", "list").splitlines()) == 1
    git(clone, "fsck", "--strict")
