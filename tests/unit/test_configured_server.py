"""Which server the user configured, in Prefect's own order."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.configured_server import find_configured_server

PROFILES = """
active = "team"
[profiles.team]
PREFECT_API_URL = "http://team.example/api"
[profiles.mine]
PREFECT_API_URL = "http://mine.example/api/"
[profiles.plain]
"""


@pytest.fixture
def prefect_home(tmp_path: Path) -> Path:
    (tmp_path / "profiles.toml").write_text(PROFILES, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, "http://team.example/api"),
        ({"PREFECT_PROFILE": "mine"}, "http://mine.example/api"),
        ({"PREFECT_PROFILE": "plain"}, None),
        ({"PREFECT_PROFILE": "absent"}, None),
        ({"PREFECT_API_URL": "http://here.example/api", "PREFECT_PROFILE": "mine"}, "http://here.example/api"),
        ({"PREFECT_API_URL": ""}, "http://team.example/api"),
    ],
)
def test_order(prefect_home: Path, environment: dict[str, str], url: str | None) -> None:
    assert find_configured_server({"PREFECT_HOME": str(prefect_home), **environment}) == url


def test_a_profiles_file_elsewhere(prefect_home: Path, tmp_path: Path) -> None:
    elsewhere = {"PREFECT_HOME": str(tmp_path / "none"), "PREFECT_PROFILES_PATH": str(prefect_home / "profiles.toml")}
    assert find_configured_server(elsewhere) == "http://team.example/api"


@pytest.mark.parametrize("text", ["", "active = ", "profiles = 3", 'active = "x"\nprofiles = {x = "text"}', "\x00"])
def test_a_file_that_says_nothing_configures_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "profiles.toml").write_text(text, encoding="utf-8")
    assert find_configured_server({"PREFECT_HOME": str(tmp_path)}) is None


def test_no_file_configures_nothing(tmp_path: Path) -> None:
    assert find_configured_server({"PREFECT_HOME": str(tmp_path)}) is None
