"""Where the product keeps its own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_workers.locations import PAGES_VARIABLE, DataFolder, data_folder


def test_configured(tmp_path: Path) -> None:
    folder = data_folder({"PARALLEL_WORKERS_HOME": str(tmp_path / "data")})
    assert folder == DataFolder(tmp_path / "data")
    assert folder.server == tmp_path / "data" / "server"
    assert folder.run("worker-1234abcd") == tmp_path / "data" / "runs" / "worker-1234abcd"
    assert not folder.root.exists(), "naming a place does not make it"


@pytest.mark.parametrize("environment", [{}, {"PARALLEL_WORKERS_HOME": ""}, {"PARALLEL_WORKERS_HOME": "  "}])
def test_default_is_in_home(isolated_environment: Path, environment: dict[str, str]) -> None:
    assert data_folder(environment).root == isolated_environment / ".parallel-workers"


def test_home_and_relative_paths_are_resolved(isolated_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_folder({"PARALLEL_WORKERS_HOME": "~/data"}).root == isolated_environment / "data"
    monkeypatch.chdir(isolated_environment)
    assert data_folder({"PARALLEL_WORKERS_HOME": "here"}).root == isolated_environment / "here"


def test_a_page_opens_over_http_while_a_server_shows_it_and_as_a_file_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = DataFolder(tmp_path)
    page = folder.pulls / "my repo-1" / "7.html"
    assert folder.page_url(page) == page.as_uri()
    monkeypatch.setenv(PAGES_VARIABLE, "http://127.0.0.1:4200/pulls")
    assert folder.page_url(page) == "http://127.0.0.1:4200/pulls/my%20repo-1/7.html"
