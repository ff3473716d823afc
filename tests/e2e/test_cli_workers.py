"""What the verbs tell about the workers of one batch that has run: one merged, one failed, one skipped."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.product import WRITE_FILE, Ended, Product, Task, write_batch

RECORD_KEYS = {
    "worker_id", "task_id", "state", "reason", "agent", "branch", "base_branch", "worktree", "pr_number", "pr_url",
    "flow_run_id", "correlation_id", "created_at", "updated_at",
}  # fmt: skip


class Finished(NamedTuple):
    """A batch that has run, and what `run` printed."""

    spec: Path
    repository: Path
    ended: Ended


@pytest.fixture(scope="module")
def finished(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("workers")
    repository = folder / "my repo"
    for command in (
        ("init", "--quiet", "--initial-branch=main", str(repository)),
        ("-C", str(repository), "commit", "--quiet", "--allow-empty", "--message", "chore: begin"),
    ):
        subprocess.run(["git", *command], env=product.environment, check=True)
    tasks: list[Task] = [
        {"id": "VIEW-GOOD", "shell": f"echo a line of output; {WRITE_FILE}"},
        {"id": "VIEW-BAD", "shell": "echo it broke; exit 7"},
        {"id": "VIEW-CHILD", "dependencies": ["VIEW-BAD"]},
    ]
    spec = write_batch(folder / "view.yml", repository, tasks)
    return Finished(spec, repository, product.call("run", str(spec), "--poll-interval", "0.5"))


def test_run_tells_progress_on_stderr_and_the_outcome_on_stdout(finished: Finished) -> None:
    ended = finished.ended
    assert ended.exit_code == 1
    rows = {line.split()[0]: line.split()[1] for line in ended.stdout.splitlines()}
    assert rows == {"TASK": "RESULT", "VIEW-GOOD": "merged", "VIEW-BAD": "failed", "VIEW-CHILD": "skipped"}
    for said in ("VIEW-GOOD NEEDS_INIT", "VIEW-GOOD WORKING", "VIEW-GOOD PR_OPEN", "VIEW-GOOD PR #1"):
        assert f" {said}" in ended.stderr
    assert "3 tasks: 1 merged, 1 failed, 1 skipped" in ended.stderr
    assert f"git -C '{finished.repository}' log" in ended.stderr
    assert "parallel-workers logs VIEW-BAD" in ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr
    assert "a line of output" not in ended.stderr


def test_run_tells_json_under_the_keys_of_every_verb(finished: Finished, product: Product) -> None:
    """The second run takes up what failed; a task that never began has no record on the server."""
    again = product.run(finished.spec)
    assert again.exit_code == 1
    tasks = {task["task_id"]: task for task in again.data["tasks"]}
    assert list(again.data) == ["batch", "tasks", "seconds", "succeeded", "work_seconds"]
    assert all(task.keys() >= RECORD_KEYS | {"result", "seconds", "already_done"} for task in tasks.values())
    good, child = tasks["VIEW-GOOD"], tasks["VIEW-CHILD"]
    record = product.call("get", "VIEW-GOOD", "--json").data
    assert {key: good[key] for key in RECORD_KEYS - {"reason"}} == {
        key: record[key] for key in RECORD_KEYS - {"reason"}
    }
    assert (good["already_done"], good["result"], good["state"]) == (True, "merged", "MERGED")
    assert (child["state"], child["result"], child["flow_run_id"]) == ("UNKNOWN", "skipped", "")
    assert (child["branch"], child["base_branch"], child["agent"]) == ("feature/view-child", "main", "agent-VIEW-CHILD")
    assert child["batch"] == good["batch"]
    assert "VIEW-BAD" in child["reason"]
    assert len({task["worker_id"] for task in tasks.values()}) == 3


def test_a_worker_that_is_not_there_is_an_answer_and_no_wrong_usage(finished: Finished, product: Product) -> None:
    for arguments in (
        ("get", "NOBODY"), ("logs", "NOBODY"), ("terminate", "NOBODY"), ("state", "get", "NOBODY"),
        ("state", "set", "NOBODY", "UNKNOWN"), ("state", "remove", "NOBODY"),
        ("state", "transition", "NOBODY", "UNKNOWN", "NEEDS_INIT"),
    ):  # fmt: skip
        missing = product.call(*arguments)
        assert (missing.exit_code, missing.stdout) == (1, ""), arguments
        assert "no worker NOBODY" in missing.stderr


def test_list_and_state_list_tell_the_same(finished: Finished, product: Product) -> None:
    listed = product.call("list", "--project", "view", "--json").data
    states = {record["task_id"]: record["state"] for record in listed}
    assert states == {"VIEW-GOOD": "MERGED", "VIEW-BAD": "UNKNOWN"}
    assert all(record.keys() >= RECORD_KEYS for record in listed)
    merged = product.call("state", "list", "--state", "merged", "--json").data
    assert "VIEW-GOOD" in {record["task_id"] for record in merged}
    assert {record["state"] for record in merged} == {"MERGED"}
    table = product.call("list", "--project", "view").stdout.splitlines()
    assert table[0].split() == ["WORKER", "TASK", "STATE", "AGENT", "PR", "CHANGED", "REASON"]
    assert len(table) == 3
    assert "UNKNOWN (Failed)" in next(line for line in table if "VIEW-BAD" in line)


def test_get_tells_one_worker_by_task_or_worker_id(finished: Finished, product: Product) -> None:
    record = product.call("get", "VIEW-GOOD", "--json").data
    assert (record["state"], record["branch"], record["pr_number"]) == ("MERGED", "feature/view-good", 1)
    assert product.call("get", record["worker_id"], "--json").data == record
    assert product.call("state", "get", "VIEW-GOOD").stdout == "MERGED\n"
    missing = product.call("get", "VIEW-GODO")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "VIEW-GOOD" in missing.stderr


def test_logs_hold_what_the_agent_said(finished: Finished, product: Product) -> None:
    assert "a line of output" in product.call("logs", "VIEW-GOOD").stdout
    told = product.call("logs", "VIEW-BAD", "--json").stdout.splitlines()
    assert any("it broke" in line for line in told)
    assert all(line.startswith('"') for line in told)


def test_states_change_only_as_the_lifecycle_allows(finished: Finished, product: Product) -> None:
    refused = product.call("state", "set", "VIEW-GOOD", "WORKING")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "MERGED" in refused.stderr
    elsewhere = product.call("state", "transition", "VIEW-BAD", "WORKING", "PR_OPEN")
    assert elsewhere.exit_code == 2
    assert "not in WORKING" in elsewhere.stderr
    moved = product.call("state", "transition", "VIEW-BAD", "UNKNOWN", "NEEDS_INIT", "--json")
    assert (moved.exit_code, moved.data["state"]) == (0, "NEEDS_INIT")
    back = product.call("state", "set", "VIEW-BAD", "UNKNOWN", "--reason", "corrupted", "--json")
    assert (back.data["state"], back.data["reason"]) == ("UNKNOWN", "corrupted")
    assert product.call("state", "get", "VIEW-GOOD").stdout == "MERGED\n"


def test_a_worker_can_be_terminated_cleaned_up_and_forgotten(finished: Finished, product: Product) -> None:
    merged = product.call("terminate", "VIEW-GOOD")
    assert (merged.exit_code, merged.stdout) == (1, "")
    ended = product.call("terminate", "VIEW-BAD", "--json")
    assert (ended.exit_code, ended.data["state"]) == (0, "UNKNOWN")
    worktree = Path(ended.data["worktree"])
    assert worktree.exists()
    cleaned = product.call("cleanup", "--state", "UNKNOWN", "--project", "view", "--json").data
    assert [(one["task_id"], one["removed"]) for one in cleaned] == [("VIEW-BAD", True)]
    assert not worktree.exists()
    forgotten = product.call("state", "remove", "VIEW-BAD", "--json")
    assert forgotten.data["task_id"] == "VIEW-BAD"
    assert product.call("get", "VIEW-BAD").exit_code == 1


def test_loop_looks_and_ends(finished: Finished, product: Product) -> None:
    ended = product.call("loop", "--project", "view", "--max-iterations", "2", "--poll-interval", "0.1", "--json")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "[]\n[]\n", "")
