"""The embedded server as a process: found, started once, private, stopped, and honest when it cannot come up."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deployments import embedded_server
from deployments.embedded_server import ServerAddress, begin_server, ensure_server, find_server, stop_server
from deployments.server_address import address_file, find_process, own_record, read_record, write_record
from deployments.server_log import last_lines, log_file
from parallel_workers.adapters.agents.process_tree import read_process
from parallel_workers.errors import ServerError
from parallel_workers.locations import DataFolder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    """A data folder of the test's own, in a path with a space; its server is stopped at the end."""
    data = DataFolder(tmp_path / "data folder")
    yield data
    stop_server(data)


def fetch(url: str, accept: str = "application/json") -> httpx.Response:
    """A page, wherever the server sends us for it."""
    return httpx.get(url, headers={"Accept": accept}, follow_redirects=True, timeout=30).raise_for_status()


def server_processes(data: DataFolder) -> list[int]:
    """The processes that were started for this folder and live."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line: list[str] = process.info["cmdline"] or []
        if str(data.server) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def test_life_of_a_server(folder: DataFolder, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_SECRET_ACCESS_KEY": "not for the server",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "nothing",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////nowhere/prefect.db",
    }.items():
        monkeypatch.setenv(name, value)
    folder.server.mkdir(parents=True)
    log_file(folder.server).write_text("from before\n", encoding="utf-8")
    assert find_server(folder) is None

    waits: list[str] = []
    first = ensure_server(lambda: waits.append("waited"), folder=folder)
    assert waits == ["waited"]
    assert first.started
    assert first.api_url == f"{first.ui_url}/api"
    assert first.ui_url.startswith("http://127.0.0.1:")
    assert first.pid is not None
    _assert_private(first.pid)
    assert (folder.server / "server.log.1").read_text(encoding="utf-8") == "from before\n"

    again = ensure_server(lambda: waits.append("waited"), folder=folder)
    assert again == first._replace(started=False)
    assert find_server(folder) == again
    assert waits == ["waited"], "a running server is nothing to wait for"

    assert stop_server(folder) is True
    assert not address_file(folder.server).exists()
    assert server_processes(folder) == []
    assert stop_server(folder) is False
    assert {path.name for path in isolated_environment.iterdir()} == set(), "the user's own files are left alone"


def _assert_private(pid: int) -> None:
    process = psutil.Process(pid)
    assert os.getsid(pid) == pid, "a session of its own: Ctrl-C in the terminal does not reach it"
    listening = [c.laddr.ip for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]
    environment = process.environ()
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert "PREFECT_LOGGING_EXTRA_LOGGERS" not in environment


def test_commands_that_start_at_once_share_one_server(folder: DataFolder) -> None:
    with pytest.raises(ServerError, match=r"did not answer within 0 s; its log .*server\.log"):
        begin_server(folder).wait_ready(timeout=0)
    with ThreadPoolExecutor(3) as pool:
        addresses = list(pool.map(lambda _: ensure_server(folder=folder), range(3)))
    assert len({address.pid for address in addresses}) == 1
    assert sum(address.started for address in addresses) <= 1
    _wait_until(lambda: server_processes(folder) == [addresses[0].pid])


def test_the_pages_and_the_api_come_from_one_origin(embedded_server: ServerAddress) -> None:
    assert fetch(f"{embedded_server.ui_url}/ui-settings").json()["api_url"] == embedded_server.api_url
    page = fetch(embedded_server.ui_url, accept="text/html")
    assert str(page.url).startswith(embedded_server.ui_url)
    script = re.search(r'<script[^>]* src="([^"]+\.js)"', page.text)
    assert script, "the page loads the UI's code"
    assert fetch(str(page.url.join(script[1]))).headers["content-type"].startswith("text/javascript")
    assert fetch(f"{embedded_server.api_url}/health").json() is True


def test_a_killed_server_is_replaced_and_keeps_its_data(folder: DataFolder) -> None:
    first = ensure_server(folder=folder)
    assert first.pid is not None
    _create_variable(first, "kept")
    psutil.Process(first.pid).kill()
    psutil.Process(first.pid).wait(10)
    assert address_file(folder.server).exists(), "a hard kill leaves the file behind"
    assert find_server(folder) is None

    second = ensure_server(folder=folder)
    assert second.started
    assert second.pid != first.pid
    assert second.ui_url == first.ui_url, "the port of last time, so that bookmarks keep working"
    assert fetch(f"{second.api_url}/variables/name/kept").json()["value"] == "kept"


@pytest.mark.parametrize("changed", [{"since_boot": 1.0}, {"boot": "another"}, {"boot": "", "process_started_at": 1.0}])
def test_a_process_id_used_again_is_not_our_server(tmp_path: Path, changed: dict[str, Any]) -> None:
    data = DataFolder(tmp_path)
    data.server.mkdir()
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        began = read_process(stranger.pid)
        assert began is not None
        record = own_record("http://127.0.0.1:9")._replace(pid=stranger.pid, since_boot=began.started)
        assert find_process(record) is not None
        write_record(data.server, record._replace(**changed))
        assert find_server(data) is None
        (data.server / "server.lock").write_text(
            address_file(data.server).read_text(encoding="utf-8"), encoding="utf-8"
        )
        assert stop_server(data) is False
        assert stranger.poll() is None, "a stranger is not stopped"
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process began without the wall clock")
def test_a_clock_that_was_set_hides_no_process(tmp_path: Path) -> None:
    # psutil's start time is that of the boot, by the clock as it is now, and what went by since
    write_record(tmp_path, own_record("http://127.0.0.1:9")._replace(process_started_at=1.0))
    record = read_record(address_file(tmp_path))
    assert record is not None
    assert find_process(record) is not None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": 1}'])
def test_a_broken_address_file_is_no_server(tmp_path: Path, text: str) -> None:
    address_file(tmp_path).write_text(text, encoding="utf-8")
    assert read_record(address_file(tmp_path)) is None


def test_an_ended_child_is_not_running(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    began = read_process(child.pid)
    assert began is not None
    record = own_record()._replace(pid=child.pid, since_boot=began.started)
    _wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert find_process(record) is None
    child.wait()


def test_a_port_that_is_taken_is_named(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        monkeypatch.setenv("PARALLEL_WORKERS_SERVER_PORT", port)
        with pytest.raises(ServerError, match=rf"(?s)ended with code 1.*PARALLEL_WORKERS_SERVER_PORT={port}.*in use"):
            ensure_server(folder=folder)
    assert server_processes(folder) == []


def test_a_server_that_cannot_start_says_why(folder: DataFolder) -> None:
    folder.server.mkdir(parents=True)
    (folder.server / "prefect.db").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    with pytest.raises(ServerError, match="file is not a database"):
        ensure_server(folder=folder)
    assert "file is not a database" in "\n".join(last_lines(folder.server))


def test_stopping_while_another_command_starts_ends_with_one_server(folder: DataFolder) -> None:
    ensure_server(folder=folder)
    stopping = threading.Thread(target=stop_server, args=(folder,))
    stopping.start()
    _wait_until(lambda: not address_file(folder.server).exists())
    address = ensure_server(folder=folder)
    stopping.join()
    assert server_processes(folder) == [address.pid]


def test_asking_for_a_server_does_not_import_prefect() -> None:
    script = "import sys, deployments.embedded_server; print([m for m in ('prefect', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_configured_server_is_used_and_none_started(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example:4200/api/")
    address = embedded_server.ensure_server(folder=folder)
    assert address == ServerAddress("http://prefect.example:4200/api", "http://prefect.example:4200")
    assert not folder.server.exists()


def _create_variable(address: ServerAddress, name: str) -> None:
    made = httpx.post(f"{address.api_url}/variables/", json={"name": name, "value": name}, timeout=30)
    assert made.status_code == 201


def _wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    pause = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if holds():
            return
        pause.wait(0.02)
    raise AssertionError("it never came to hold")


def test_pull_request_pages_are_shown_and_nothing_beside_them(folder: DataFolder) -> None:
    address = begin_server(folder).wait_ready()
    (folder.pulls / "repository-1").mkdir(parents=True)
    (folder.pulls / "repository-1" / "7.html").write_text("<h1>#7</h1>", encoding="utf-8")
    (folder.root / "secret.txt").write_text("not for the web", encoding="utf-8")
    assert fetch(f"{address.ui_url}/pulls/repository-1/7.html").text == "<h1>#7</h1>"
    for path in ("/pulls/../secret.txt", "/pulls/%2e%2e/secret.txt", "/pulls/..%2fsecret.txt", "/pulls/"):
        answer = httpx.get(address.ui_url + path, timeout=30)
        assert "not for the web" not in answer.text
