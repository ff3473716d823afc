"""`up`, `down`, and what the verbs do when no server runs."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from deployments.server_address import is_healthy
from tests.e2e.product import Ended, Product

Call = Callable[..., Ended]

STOPPED = {"stopped": True, "watcher": False, "prefect_worker": False}
"""What `down --json` says when only the server ran."""


@pytest.fixture
def fresh(product: Product, tmp_path: Path) -> Iterator[Call]:
    """The command line on a data folder of its own."""

    def call(*arguments: str, **more: str) -> Ended:
        return product.call(*arguments, **{"PARALLEL_WORKERS_HOME": str(tmp_path / "data"), **more})

    yield call
    call("down")


def test_up_starts_once_and_down_stops(fresh: Call) -> None:
    started = fresh("up", "--server-only", "--json").data
    assert set(started) == {"api_url", "ui_url", "started", "pid"}
    assert started["started"] is True
    assert is_healthy(started["ui_url"])
    again = fresh("up", "--server-only")
    assert (again.exit_code, again.stdout) == (0, f"{started['ui_url']}\n")
    assert fresh("list", "--json").data == []
    assert fresh("down", "--json").data == STOPPED
    assert fresh("down", "--json").data == {**STOPPED, "stopped": False}


def test_verbs_that_only_look_start_no_server(fresh: Call, tmp_path: Path) -> None:
    listed = fresh("list", "--json")
    assert (listed.exit_code, listed.data) == (0, [])
    assert "No Prefect server runs" in listed.stderr
    assert fresh("list").stdout == ""
    for arguments in (
        ("get", "X"), ("logs", "X"), ("state", "get", "X"), ("state", "remove", "X"), ("state", "set", "X", "UNKNOWN"),
        ("state", "transition", "X", "UNKNOWN", "WORKING"), ("terminate", "X"),
    ):  # fmt: skip
        missing = fresh(*arguments)
        assert (missing.exit_code, missing.stdout) == (1, "")
        assert "no worker X" in missing.stderr
    assert not (tmp_path / "data" / "server").exists()


@pytest.mark.parametrize("verb", ["list", "up", "terminate"])
def test_a_configured_server_that_is_dead_is_named(fresh: Call, tmp_path: Path, verb: str) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refuses, and nobody else can take the port
        url = f"http://127.0.0.1:{held.getsockname()[1]}/api"
        ended = fresh(verb, *(("X",) if verb == "terminate" else ()), PREFECT_API_URL=url)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert f"the Prefect server at {url} does not answer" in ended.stderr
    assert "it is used" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data" / "reports").exists()


def test_down_refuses_while_an_engine_runs_workers(fresh: Call, tmp_path: Path) -> None:
    url = fresh("up", "--server-only", "--json").data["ui_url"]
    locks = tmp_path / "data" / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "worker-dead0000.lock").touch()  # what an engine leaves that has ended
    with FileLock(locks / "worker-1234abcd.lock"):
        refused = fresh("down", "--json")
        assert (refused.exit_code, refused.stdout) == (1, "")
        for part in ("1 worker is at work", "worker-1234abcd", "--force"):
            assert part in refused.stderr
        assert "worker-dead0000" not in refused.stderr
        assert is_healthy(url)
        assert fresh("down", "--force", "--json").data == STOPPED
    assert not is_healthy(url)


def test_down_asks_for_no_force_when_nobody_is_at_work(fresh: Call, tmp_path: Path) -> None:
    fresh("up", "--server-only")
    locks = tmp_path / "data" / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "worker-dead0000.lock").touch()
    assert fresh("down", "--json").data == STOPPED
