"""`spawn` and `spawn-batch`: handed over where there is a deployment, carried out here where there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import Git
from tests.e2e.product import Product, finish, write_batch

RECORD_KEYS = {
    "worker_id", "task_id", "state", "reason", "agent", "branch", "base_branch", "worktree", "pr_number", "pr_url",
    "flow_run_id", "correlation_id", "created_at", "updated_at",
}  # fmt: skip


class Api:
    """The few requests these tests make of the Prefect server's REST API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, method: str, path: str, content: object = None) -> Any:
        answer = httpx.request(method, f"{self._url}{path}", json=content, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@pytest.fixture
def api(product: Product) -> Api:
    return Api(product.call("up", "--server-only", "--json").data["api_url"])


@pytest.fixture
def deployments(api: Api) -> Iterator[None]:
    """Deployments under the names the verbs look for; nothing takes up their runs."""
    made = []
    for name in ("run-batch", "implement-task"):
        flow = api.send("POST", "/flows/", {"name": name})
        made.append(api.send("POST", "/deployments/", {"name": name, "flow_id": flow["id"]})["id"])
    yield
    for deployment in made:
        api.send("DELETE", f"/deployments/{deployment}")


def spawn(product: Product, repository: Path, *more: str) -> Any:
    arguments = ("spawn", "--task-id", "SPAWN-1", "--description", "Do it", "--base-branch", "main", "--json", *more)
    return finish(
        subprocess.Popen(
            [sys.executable, "-m", "parallel_workers.cli.main", *arguments],
            env=product.environment,
            cwd=repository,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )


def test_a_batch_is_handed_over_once_while_it_runs(
    product: Product, api: Api, deployments: None, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    repository = make_repository()
    spec = write_batch(tmp_path / "handed.yml", repository, [{"id": "HANDED-1"}])
    first = product.call("spawn-batch", "--spec-file", str(spec), "--json")
    assert first.exit_code == 0, first.stderr
    run = api.send("GET", f"/flow_runs/{first.data['flow_run_id']}")
    assert run["deployment_id"] is not None
    assert run["state_type"] == "SCHEDULED"
    written = yaml.safe_load(run["parameters"]["spec"])
    assert written["repository"] == str(repository)
    assert first.data["ui_url"].endswith(run["id"])
    assert (first.data["batch"], first.data["base_branch"]) == ("handed/handed", "main")
    assert first.data["prefect_state"] == "Scheduled"
    assert "max_workers" not in written
    second = product.call("spawn-batch", "--spec-file", str(spec), "--json")
    assert second.data["flow_run_id"] == run["id"]

    ended = {"state": {"type": "FAILED", "name": "Failed"}, "force": True}
    api.send("POST", f"/flow_runs/{run['id']}/set_state", ended)
    third = product.call("spawn-batch", "--spec-file", str(spec), "--json")
    assert third.data["flow_run_id"] != run["id"]
    assert not (product.home / ".worktrees" / "handed").exists()


def test_what_the_command_line_sets_is_handed_over(
    product: Product, api: Api, deployments: None, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    spec = write_batch(tmp_path / "wide.yml", make_repository(), [{"id": "WIDE-1"}], max_workers=2)
    options = ("--max-workers", "7", "--worktree-root", "trees", "--json")
    handed = product.call("spawn-batch", "--spec-file", str(spec), *options)
    assert handed.exit_code == 0, handed.stderr
    parameters = api.send("GET", f"/flow_runs/{handed.data['flow_run_id']}")["parameters"]
    assert yaml.safe_load(parameters["spec"])["max_workers"] == 7
    assert parameters["worktree_root"] == str(product.home / "trees")  # a Prefect worker runs in another folder


def test_a_task_is_one_flow_run_for_ever(
    product: Product, api: Api, deployments: None, make_repository: Callable[..., Path], git: Git
) -> None:
    repository = make_repository("handed-task")
    settings = "agents: {ours: {command: [make]}}\n"
    (repository / ".parallel-workers.yml").write_text(settings, encoding="utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "chore: settings")
    first = spawn(product, repository, "--agent", "ours", "--priority", "9")
    assert first.exit_code == 0, first.stderr
    run = api.send("GET", f"/flow_runs/{first.data['flow_run_id']}")
    assert run["parameters"]["order"]["task"]["priority"] == 9
    assert first.data.keys() >= RECORD_KEYS
    assert (first.data["task_id"], first.data["branch"]) == ("SPAWN-1", "feature/spawn-1")
    assert (first.data["state"], first.data["prefect_state"]) == ("UNKNOWN", "Scheduled")
    record = product.call("get", run["labels"]["parallel_workers.worker_id"], "--json").data
    assert (record["task_id"], record["state"], record["project"]) == ("SPAWN-1", "UNKNOWN", "handed-task")
    assert {key: first.data[key] for key in RECORD_KEYS} == {key: record[key] for key in RECORD_KEYS}

    ended = {"state": {"type": "CRASHED", "name": "Crashed"}, "force": True}
    api.send("POST", f"/flow_runs/{run['id']}/set_state", ended)
    again = spawn(product, repository, "--agent", "ours", "--priority", "9")
    assert again.data["flow_run_id"] == run["id"]
    assert api.send("GET", f"/flow_runs/{run['id']}")["state_type"] == "SCHEDULED"


def test_without_a_deployment_a_task_is_carried_out_here(
    product: Product, make_repository: Callable[..., Path], git: Git
) -> None:
    settings = 'agents: {ours: {command: [sh, -ec, "echo hi > $PARALLEL_WORKERS_TASK_ID.txt"]}}\nmerge: auto\n'
    repository = make_repository("here", {".parallel-workers.yml": settings})
    ended = spawn(product, repository, "--agent", "ours", "--poll-interval", "0.5")
    assert "in the foreground" in ended.stderr
    assert (ended.exit_code, ended.results()) == (0, {"SPAWN-1": "merged"})
    assert git(repository, "show", "main:SPAWN-1.txt") == "hi"


def test_a_task_that_cannot_be_is_refused_in_terms_of_the_options(
    product: Product, make_repository: Callable[..., Path]
) -> None:
    repository = make_repository()
    ended = spawn(product, repository, "--agent", "", "--project", "///")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "--agent" in ended.stderr or "--project" in ended.stderr
