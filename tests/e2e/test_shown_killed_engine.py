"""The engine is killed half-way and started again: one pull request per task, no agent paid twice for one result."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.conftest import Git
from tests.e2e.product import RUN, WRITE_FILE, Product, Task, finish, wait_until, write_batch


def test_killed_and_run_again(product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git) -> None:
    repository, journal, gate = make_repository(bare_remote=True), tmp_path / "journal", tmp_path / "gate"
    note = f'echo "$PARALLEL_WORKERS_TASK_ID $$" >> "{journal}"; {WRITE_FILE}'
    tasks: list[Task] = [
        {"id": "MERGED", "shell": note},
        {"id": "IN-REVIEW", "shell": note, "merge": "manual"},
        {"id": "AT-WORK", "shell": f'{note}; while ! test -e "{gate}"; do sleep 0.1; done'},
        {"id": "NOT-BEGUN", "shell": note, "dependencies": ["AT-WORK"]},
    ]
    spec = write_batch(tmp_path / "killed.yml", repository, tasks)

    def pulls() -> dict[str, Mapping[str, object]]:
        listed = product.call("pr", "list", "--state", "all", "--repository", str(repository), "--json")
        return {str(pull["branch"]): pull for pull in listed.data} if listed.exit_code == 0 else {}

    def states() -> dict[str, str]:
        listed = product.call("list", "--json").data
        return {each["task_id"]: each["state"] for each in listed if each["batch"] == "killed/killed"}

    def is_half_way() -> bool:
        expected = {"MERGED": "MERGED", "IN-REVIEW": "PR_OPEN", "AT-WORK": "WORKING"}
        return engine.poll() is not None or (states() == expected and "AT-WORK" in journal.read_text())

    engine = product.begin(*RUN, str(spec))
    wait_until(is_half_way, "the batch is half-way")
    assert engine.poll() is None, finish(engine).stderr
    os.kill(engine.pid, signal.SIGKILL)
    finish(engine)
    before = pulls()
    assert set(before) == {"feature/merged", "feature/in-review"}
    agents = [int(line.split()[1]) for line in journal.read_text().splitlines()]
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in agents), "the agents have ended")

    gate.touch()
    again = product.begin(*RUN, str(spec))
    wait_until(
        lambda: again.poll() is not None or states().get("NOT-BEGUN") == "MERGED", "all that may be merged is merged"
    )
    review = before["feature/in-review"]
    merged = product.call("pr", "merge", str(review["pr_number"]), "--repository", str(repository))
    assert merged.exit_code == 0, merged.stderr
    done = finish(again)

    assert done.exit_code == 0, done.stderr
    assert Counter(str(pull["state"]) for pull in pulls().values()) == {"merged": 4}
    assert pulls()["feature/in-review"]["pr_number"] == review["pr_number"]
    check_all_merged_once(done.results(), journal, repository, git)

    assert all(task["already_done"] for task in product.run(spec).data["tasks"])


def check_all_merged_once(results: Mapping[str, str], journal: Path, repository: Path, git: Git) -> None:
    """Every task is merged, no finished agent ran twice, nothing of ours is left in clone or remote."""
    agents = {"MERGED": 1, "IN-REVIEW": 1, "AT-WORK": 2, "NOT-BEGUN": 1}
    assert results == dict.fromkeys(agents, "merged")
    assert Counter(line.split()[0] for line in journal.read_text().splitlines()) == agents
    remote = repository.with_suffix(".git")
    there = set(git(remote, "ls-tree", "--name-only", "main").splitlines())
    assert {f"{each}.txt" for each in agents} <= there
    assert "feature/" not in git(repository, "for-each-ref") + git(remote, "for-each-ref")
    assert len(git(repository, "worktree", "list").splitlines()) == 1
