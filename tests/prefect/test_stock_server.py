"""A stock `prefect server start` serves as well as our own: it is found by its URL, and flows run on it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prefect import flow, task
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from deployments.embedded_server import begin_server, stop_server
from deployments.empty_database import ensure_database
from parallel_workers.locations import DataFolder

_START_SECONDS = 120


@pytest.fixture
def stock_server(tmp_path: Path) -> Iterator[str]:
    """API URL of a `prefect server start`; on the shipped database, so that its migrations find nothing to do."""
    home = tmp_path / "stock"
    home.mkdir()
    ensure_database(home / "prefect.db")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (tmp_path / "stock.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, "PREFECT_HOME": str(home)},
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(server, f"http://127.0.0.1:{port}/api/health", tmp_path / "stock.log")
        yield f"http://127.0.0.1:{port}/api"
    finally:
        APILogWorker.drain_all(timeout=5)
        server.terminate()
        server.wait(30)


def _wait_for(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    pause = threading.Event()
    for _ in range(_START_SECONDS * 10):
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            assert server.poll() is None, log.read_text(encoding="utf-8")
        pause.wait(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))


@task
async def add(left: int, right: int) -> int:
    return left + right


@flow
async def addition() -> int:
    return await add(20, 22)


async def test_it_is_used_in_place_of_ours(stock_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", stock_server)
    folder = DataFolder(tmp_path / "ours")
    address = begin_server(folder).wait_ready()
    assert (address.api_url, address.started, address.pid) == (stock_server, False, None)
    assert not folder.root.exists(), "none of ours was started"
    assert stop_server(folder) is False, "and somebody else's is not stopped"
    with temporary_settings({PREFECT_API_URL: stock_server}):
        assert await addition() == 42
    async with httpx.AsyncClient(base_url=stock_server, timeout=30) as client:
        runs = (await client.post("/flow_runs/filter", json={})).json()
    assert [run["state_type"] for run in runs] == ["COMPLETED"]
