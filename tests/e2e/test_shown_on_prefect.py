"""What a person sees in Prefect: worker states by name, the pull request's link, the reports, the batch's table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

from tests.e2e.prefect_view import read_artifacts, read_batch_runs, read_run, read_states
from tests.e2e.product import Product, Task, write_batch


def test_states_links_and_reports(product: Product, make_repository: Callable[..., Path], tmp_path: Path) -> None:
    tasks: list[Task] = [
        {"id": "SEEN-1", "description": "Write the first file"},
        {"id": "SEEN-2", "dependencies": ["SEEN-1"]},
    ]
    done = product.run(write_batch(tmp_path / "seen.yml", make_repository(), tasks))
    assert done.exit_code == 0, done.stderr
    for task in done.data["tasks"]:
        _check_worker(product, task)
    (batch_run,) = read_batch_runs(product, "seen")
    (table,) = [artifact for artifact in read_artifacts(product, str(batch_run.id)) if artifact.type == "table"]
    rows = json.loads(str(table.data))
    assert [(row["task"], row["result"]) for row in rows] == [("SEEN-1", "merged"), ("SEEN-2", "merged")]


def _check_worker(product: Product, task: dict[str, str]) -> None:
    run = read_run(product, task["flow_run_id"])
    assert run.state_name == "MERGED"
    assert run.labels["parallel_workers.task_id"] == task["task_id"]
    assert run.labels["parallel_workers.pr_url"] == task["pr_url"]
    ours = [state.name for state in read_states(product, task["flow_run_id"]) if str(state.name).isupper()]
    assert ours == ["NEEDS_INIT", "WORKING", "PR_OPEN", "MERGED"]

    artifacts = {artifact.key: str(artifact.data) for artifact in read_artifacts(product, task["flow_run_id"])}
    link = re.search(r"\[#\d+ [^]]+\]\(([^)]+)\)", artifacts[f"{task['worker_id']}-pull-request"])
    assert link is not None
    assert link[1] == task["pr_url"]
    with urlopen(link[1], timeout=10) as answer:  # noqa: S310 - a page of our own server on loopback
        page = answer.read().decode("utf-8")
    assert task["task_id"] in page
    assert "merged" in page
    assert task["task_id"] in artifacts[task["worker_id"]]
