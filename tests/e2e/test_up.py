"""`up` and `down` as a whole: server, registration, Prefect worker and watcher, started once and stopped together."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.e2e.product import Product, wait_until

DEPLOYMENTS = {"implement-task", "run-batch", "watch-pull-requests", "clean-up-workers"}
STANDING = ("prefect_worker", "watcher")


@pytest.fixture(scope="module")
def hosted() -> Iterator[tuple[Product, dict[str, Any]]]:
    """A product that is up, and what the first `up --json` said."""
    with tempfile.TemporaryDirectory(prefix="parallel-workers-up-") as folder:
        product = Product(Path(folder))
        try:
            yield product, product.call("up", "--poll-interval", "1", "--json").data
        finally:
            product.call("down", "--force")
            for process in product.processes():
                process.kill()


def deployments_of(api_url: str) -> set[str]:
    answer = httpx.post(f"{api_url}/deployments/filter", json={}, timeout=30).raise_for_status()
    return {deployment["name"] for deployment in answer.json()}


def test_up_registers_and_starts_everything(hosted: tuple[Product, dict[str, Any]]) -> None:
    _, said = hosted
    assert set(said) == {"api_url", "ui_url", "started", "pid", "registered", *STANDING}
    assert deployments_of(said["api_url"]) == DEPLOYMENTS
    for name in STANDING:
        assert said[name]["started"] is True
        process = psutil.Process(said[name]["pid"])
        assert os.getsid(process.pid) == process.pid  # a Ctrl-C in the terminal is not meant for it
        assert Path(said[name]["log"]).is_file()
    assert "prefect worker start --pool parallel-workers --type process" in " ".join(
        psutil.Process(said["prefect_worker"]["pid"]).cmdline()
    )
    settings = psutil.Process(said["prefect_worker"]["pid"]).environ()
    assert settings["PREFECT_API_URL"] == said["api_url"]
    assert settings["PARALLEL_WORKERS_PAGES_URL"] == f"{said['ui_url']}/pulls"
    assert settings["GIT_AUTHOR_NAME"] == "Test Author"  # the user's own environment: git needs it


def test_the_prefect_worker_carries_out_a_deployment(hosted: tuple[Product, dict[str, Any]]) -> None:
    _, said = hosted
    api = said["api_url"]
    found = httpx.get(f"{api}/deployments/name/clean-up-workers/clean-up-workers", timeout=30).raise_for_status()
    made = httpx.post(f"{api}/deployments/{found.json()['id']}/create_flow_run", json={}, timeout=30).raise_for_status()

    def state() -> str:
        run: dict[str, str] = httpx.get(f"{api}/flow_runs/{made.json()['id']}", timeout=30).json()
        return run["state_type"]

    wait_until(lambda: state() == "COMPLETED", "the run has completed")


def test_up_again_changes_nothing_and_starts_nothing(hosted: tuple[Product, dict[str, Any]]) -> None:
    product, said = hosted
    again = [process.communicate()[0] for process in [product.begin("up", "--json") for _ in range(2)]]
    for text in again:
        told = json.loads(text)
        assert [told[name]["pid"] for name in STANDING] == [said[name]["pid"] for name in STANDING]
        assert not any(told[name]["started"] for name in STANDING)
        assert told["started"] is False
        registered = told["registered"]
        done = [*registered["deployments"].values(), *registered["limits"].values(), registered["work_pool"]]
        assert {*done, *registered["automations"].values()} == {"unchanged"}


def test_another_machine_uses_the_same_server(hosted: tuple[Product, dict[str, Any]], tmp_path: Path) -> None:
    _, said = hosted
    other = Product(tmp_path)
    told = other.call("up", "--json", PREFECT_API_URL=said["api_url"]).data
    assert told["started"] is False
    assert told["pid"] is None
    assert all(told[name]["started"] for name in STANDING)
    refused = other.call("up")  # its processes work for the other server
    assert refused.exit_code == 1
    assert "first: parallel-workers down" in refused.stderr
    assert other.call("down", "--json").data == {"stopped": True, "watcher": True, "prefect_worker": True}
    assert other.processes() == []
    assert deployments_of(said["api_url"]) == DEPLOYMENTS  # the server of the first is not touched


def test_what_was_killed_is_started_again(hosted: tuple[Product, dict[str, Any]]) -> None:
    product, said = hosted
    killed = psutil.Process(said["prefect_worker"]["pid"])
    killed.kill()
    psutil.wait_procs([killed], timeout=10)
    told = product.call("up", "--json").data
    assert told["prefect_worker"]["started"] is True
    assert told["prefect_worker"]["pid"] != killed.pid
    assert told["watcher"] == {**said["watcher"], "started": False}


def test_down_leaves_no_process_and_up_goes_on(hosted: tuple[Product, dict[str, Any]]) -> None:
    product, said = hosted
    assert product.call("down", "--json").data == {"stopped": True, "watcher": True, "prefect_worker": True}
    assert product.processes() == []
    assert product.call("down", "--json").data == {"stopped": False, "watcher": False, "prefect_worker": False}
    told = product.call("up", "--json").data
    assert told["api_url"] == said["api_url"]
    assert all(told[name]["started"] for name in STANDING)
    assert set(told["registered"]["deployments"].values()) == {"unchanged"}


def test_the_printed_commands_do_the_same(tmp_path: Path) -> None:
    product = Product(tmp_path)
    printed = product.call("up", "--print")
    assert printed.exit_code == 0
    assert product.processes() == []
    script = subprocess.Popen(
        ["sh", "-c", printed.stdout],
        env=product.environment,
        cwd=product.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = script.communicate(timeout=150)
        api = product.call("up", "--server-only", "--json").data
        assert api["started"] is False  # the one the script has started
        assert deployments_of(api["api_url"]) == DEPLOYMENTS, said
        limits = httpx.post(f"{api['api_url']}/v2/concurrency_limits/filter", json={}, timeout=30).json()
        assert {each["name"]: each["limit"] for each in limits}["parallel-workers:git-push"] == 4
        automations = httpx.post(f"{api['api_url']}/automations/filter", json={}, timeout=30).json()
        assert len(automations) == 2
        commands = [" ".join(process.cmdline()) for process in product.processes()]
        assert any("prefect worker start" in command for command in commands)
        assert any("parallel_workers.cli.main loop" in command for command in commands)
    finally:
        for process in product.processes():
            process.kill()
