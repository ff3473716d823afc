"""What is told of a Prefect server without importing Prefect."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from deployments.embedded_server import ServerAddress
from deployments.server_address import own_record, write_record
from deployments.server_facts import look_at_database, look_at_server
from parallel_workers.health import ServerFacts
from parallel_workers.locations import DataFolder

CLIENT = version("prefect")


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.server.mkdir(parents=True)
    return folder


@pytest.fixture
def deaf_url() -> str:
    """A URL at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_without_a_server_nothing_is_told_and_nothing_imported(data: DataFolder) -> None:
    assert look_at_server(data, {}) == ServerFacts(client_version=CLIENT)
    code = "import sys, deployments.server_facts; print('prefect' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_server_that_answers_tells_its_version(embedded_server: ServerAddress, data: DataFolder) -> None:
    asked = look_at_server(data, {"PREFECT_API_URL": embedded_server.api_url})
    assert asked == ServerFacts(
        embedded_server.api_url, configured=True, ours=False, local=True, version=CLIENT, client_version=CLIENT
    )


def test_the_embedded_server_is_known_by_its_folder(embedded_server: ServerAddress) -> None:
    import psutil

    assert embedded_server.pid is not None
    folder = DataFolder(Path(psutil.Process(embedded_server.pid).cwd()).parent)
    facts = look_at_server(folder, {})
    assert (facts.ours, facts.configured, facts.pid, facts.version) == (True, False, embedded_server.pid, CLIENT)
    assert look_at_server(folder, {"PREFECT_API_URL": embedded_server.api_url}).ours
    database = look_at_database(folder, running=True)
    assert database is not None
    assert database.size > 100_000


def test_a_configured_server_that_does_not_answer(data: DataFolder, deaf_url: str) -> None:
    facts = look_at_server(data, {"PREFECT_API_URL": f"{deaf_url}/api"})
    assert "refused" in facts.trouble
    assert facts.local


def test_an_embedded_server_that_hangs_or_is_on_its_way(data: DataFolder, deaf_url: str) -> None:
    write_record(data.server, own_record(deaf_url))
    assert "says nothing" in look_at_server(data, {}).trouble
    write_record(data.server, own_record())
    assert "on its way" in look_at_server(data, {}).trouble


def test_a_record_of_a_dead_process_is_no_server(data: DataFolder, deaf_url: str) -> None:
    write_record(data.server, own_record(deaf_url)._replace(since_boot=1.0))
    assert look_at_server(data, {}) == ServerFacts(client_version=CLIENT)


def test_a_database_is_whole_or_damaged(data: DataFolder) -> None:
    assert look_at_database(data, running=False) is None
    file = data.server / "prefect.db"
    with sqlite3.connect(file) as database:
        database.execute("create table t (a)")
        database.executemany("insert into t values (?)", [("x" * 100,)] * 500)
    database.close()
    whole = look_at_database(data, running=False)
    assert whole is not None
    assert (whole.path, whole.trouble) == (file, "")
    with file.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(b"\xff" * 8192)
    found = look_at_database(data, running=False)
    assert found is not None
    assert found.trouble
    file.write_bytes(b"no database at all, and long enough to be looked at" * 100)
    found = look_at_database(data, running=False)
    assert found is not None
    assert "not a database" in found.trouble
