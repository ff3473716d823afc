"""The product as a user has it: its command line in a subprocess, with a home and an embedded server of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil

T = TypeVar("T")
Task = Mapping[str, Any]

WRITE_FILE = 'echo "$PARALLEL_WORKERS_DESCRIPTION" > "$PARALLEL_WORKERS_TASK_ID.txt"'
_ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ")
_COMMAND_SECONDS = 120.0
_IDENTITY = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Test Author",
    "GIT_AUTHOR_EMAIL": "author@example.invalid",
    "GIT_COMMITTER_NAME": "Test Author",
    "GIT_COMMITTER_EMAIL": "author@example.invalid",
}


class Ended(NamedTuple):
    """A command that has ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.stdout)

    def results(self) -> dict[str, str]:
        """The result of each task of `run --json`, by task id."""
        return {task["task_id"]: task["result"] for task in self.data["tasks"]}

    def reasons(self) -> dict[str, str]:
        """The reason beside each result."""
        return {task["task_id"]: task["reason"] for task in self.data["tasks"]}


class Product:
    """The command line; everything it writes is below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.environment = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            **_IDENTITY,
            "HOME": str(self.home),
            "PARALLEL_WORKERS_HOME": str(self.home / "data"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PYTHONPATH": str(_ROOT),
        }

    def begin(self, *arguments: str, under: Sequence[str] = (), **more: str) -> subprocess.Popen[str]:
        """Start a command, as the last arguments of the program `under`; `more` are environment variables."""
        return subprocess.Popen(
            [*under, sys.executable, "-m", "parallel_workers.cli.main", *arguments],
            env=self.environment | more,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *arguments: str, **more: str) -> Ended:
        """Run a command to its end."""
        return finish(self.begin(*arguments, **more))

    def run(self, spec: Path, **more: str) -> Ended:
        """`run SPEC --json` to its end, looking at the pull requests every half second."""
        return self.call(*RUN, str(spec), **more)

    def processes(self) -> list[psutil.Process]:
        """Every living process that has this product's home in its environment or arguments."""
        found = []
        for process in psutil.process_iter():
            try:
                known = [*process.environ().values(), *process.cmdline()]
            except psutil.Error:
                continue
            if process.status() != psutil.STATUS_ZOMBIE and any(str(self.home) in text for text in known):
                found.append(process)
        return found


RUN = ("run", "--json", "--poll-interval", "0.5")


def finish(process: subprocess.Popen[str], seconds: float = _COMMAND_SECONDS) -> Ended:
    """Wait for a command's end; one that does not come to it in time is killed, and the test fails."""
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        raise AssertionError(f"the command did not end:\n{stdout}\n{stderr}") from None
    return Ended(process.returncode, stdout, stderr)


def write_batch(file: Path, repository: Path, tasks: Sequence[Task], **settings: object) -> Path:
    """A batch file, JSON being YAML. A task's `shell` is what its agent runs; the rest are keys of the format."""
    agents: dict[str, object] = {}
    entries = []
    for task in tasks:
        given = dict(task)
        agents[f"agent-{given['id']}"] = {"command": ["sh", "-ec", given.pop("shell", WRITE_FILE)]}
        entries.append({"description": f"Do {given['id']}", "agent": f"agent-{given['id']}", **given})
    batch = {"project": file.stem, "repository": str(repository), "forge": "local", "merge": "auto"}
    file.write_text(json.dumps({**batch, **settings, "agents": agents, "tasks": entries}), encoding="utf-8")
    return file


def wait_until(condition: Callable[[], T], what: str, seconds: float = 60.0) -> T:
    """The first true answer of `condition`; the test fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)
    return answer
