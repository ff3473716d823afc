"""What the server's process is started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.listening_socket import listen
from deployments.server_settings import prefect_settings, process_environment


def test_nothing_secret_is_inherited() -> None:
    given = {"PATH": "/bin", "HOME": "/home/me", "LC_ALL": "C.UTF-8", "GITHUB_TOKEN": "t", "PREFECT_API_KEY": "k"}
    inherited = process_environment(given, Path("/package"))
    assert inherited.items() >= {"PATH": "/bin", "HOME": "/home/me", "LC_ALL": "C.UTF-8"}.items()
    assert inherited["PYTHONPATH"] == "/package"
    assert not {"GITHUB_TOKEN", "PREFECT_API_KEY"} & inherited.keys()


def test_prefects_own_server_settings_may_be_tuned() -> None:
    given = {"PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5", "PREFECT_API_URL": "http://elsewhere/api"}
    inherited = process_environment(given, Path("/package"))
    assert inherited["PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS"] == "5"
    assert "PREFECT_API_URL" not in inherited


@pytest.mark.parametrize(("current", "looks"), [(True, "false"), (False, "true")])
def test_only_an_unknown_database_is_looked_at(current: bool, looks: str) -> None:  # noqa: FBT001 - a parameter
    settings = prefect_settings(Path("/data"), "http://127.0.0.1:1", current=current)
    assert settings["PREFECT_SERVER_DATABASE_MIGRATE_ON_START"] == looks
    assert settings["PREFECT_SERVER_REGISTER_BLOCKS_ON_START"] == looks
    assert settings["PREFECT_SERVER_UI_API_URL"] == "http://127.0.0.1:1/api"


def test_pages_go_where_we_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "PREFECT_SERVER_UI_STATIC_DIRECTORY"
    for writable in (True, False):
        monkeypatch.setattr("os.access", lambda _path, _mode, answer=writable: answer)
        settings = prefect_settings(Path("/data"), "http://127.0.0.1:1", current=True)
        assert settings.get(name) == (None if writable else "/data/ui")


def test_the_port_of_last_time_unless_it_is_taken(tmp_path: Path) -> None:
    memory = tmp_path / "port"
    with listen("127.0.0.1", "", memory) as first:
        port = first.getsockname()[1]
        assert memory.read_text(encoding="utf-8") == f"{port}\n"
        with listen("127.0.0.1", "", memory) as second:
            assert second.getsockname()[1] != port
    memory.write_text(f"{port}\n", encoding="utf-8")
    with listen("127.0.0.1", "", memory) as later:
        assert later.getsockname()[1] == port


@pytest.mark.parametrize("remembered", ["", "words", "-1", "70000"])
def test_a_memory_that_makes_no_sense_is_forgotten(tmp_path: Path, remembered: str) -> None:
    memory = tmp_path / "port"
    memory.write_text(remembered, encoding="utf-8")
    with listen("127.0.0.1", "", memory) as listener:
        assert memory.read_text(encoding="utf-8") == f"{listener.getsockname()[1]}\n"


@pytest.mark.parametrize("wanted", ["words", "-1", "70000"])
def test_a_wanted_port_that_is_none(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(ValueError):
        listen("127.0.0.1", wanted, tmp_path / "port")
