"""Shared by all tests: nothing may touch the real HOME, and git answers the same everywhere."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import configuration

# Hypothesis would keep its examples in the checkout; tests write nowhere but under tmp.
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / f"parallel-workers-hypothesis-{os.getuid()}")

_KEPT = {
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "PYTEST_XDIST_WORKER",
    "PYTEST_CURRENT_TEST",
    "COVERAGE_PROCESS_START",
}
_GIT_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Test Author",
    "GIT_AUTHOR_EMAIL": "author@example.invalid",
    "GIT_COMMITTER_NAME": "Test Author",
    "GIT_COMMITTER_EMAIL": "author@example.invalid",
}


@pytest.fixture(autouse=True)
def isolated_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare environment with an empty HOME: a test that wrote to the real one would destroy somebody's work."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name not in _KEPT:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PARALLEL_WORKERS_HOME", str(home / ".parallel-workers"))
    monkeypatch.setenv("PREFECT_HOME", str(home / ".prefect"))
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    for name, value in _GIT_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return home


TellFault = Callable[[str, str, str], None]


@pytest.fixture
def tell_fault(record_property: Callable[[str, object], None]) -> TellFault:
    """`tell_fault(fault, outcome, message)` once a test has seen them: a line of the table that `make chaos` prints."""
    return lambda fault, outcome, message: record_property("fault", (fault, outcome, message))


Git = Callable[..., str]


@pytest.fixture
def git() -> Git:
    """`git(folder, *arguments)` runs real git there and answers its stripped stdout; fails the test on an error."""

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    return run


@pytest.fixture
def make_repository(tmp_path: Path, git: Git) -> Callable[..., Path]:
    """`make_repository(name="repo", files={...}, bare_remote=False)`: an ordinary repository with one commit on main.

    With `bare_remote=True` it is a clone whose `origin` is the bare repository `<name>.git` beside it.
    """

    def make(name: str = "repo", files: dict[str, str] | None = None, *, bare_remote: bool = False) -> Path:
        path = tmp_path / name
        path.mkdir(parents=True)
        git(path, "init", "--quiet", "--initial-branch=main")
        for file, text in (files or {"README.md": "# a project\n", "src/one.txt": "1\n"}).items():
            target = path / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        git(path, "add", "--all")
        git(path, "commit", "--quiet", "--message", "chore: begin")
        if bare_remote:
            remote = tmp_path / f"{name}.git"
            git(tmp_path, "clone", "--quiet", "--bare", str(path), str(remote))
            git(path, "remote", "add", "origin", str(remote))
            git(path, "fetch", "--quiet", "origin")
        return path

    return make
