"""Real agents: small shell and Python programs that behave as badly as real ones do."""

from __future__ import annotations

import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parallel_workers.adapters.agents.command import CommandRunner
from parallel_workers.adapters.agents.launcher import LAUNCHER
from parallel_workers.adapters.agents.process_tree import descendants, find_tagged, read_process, read_processes
from parallel_workers.agent_runs import AgentCommand, AgentResult
from parallel_workers.spec import PromptDelivery

PYTHON = (sys.executable, "-I", "-S", "-c")


def wait_until(holds: Callable[[], object], seconds: float = 10.0) -> None:
    """Return as soon as it holds; fail the test when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


class AgentBench:
    """Makes commands in a fresh worktree, runs them, and knows whether anything of them is left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.worktree = folder / "a worktree"
        self.worktree.mkdir()
        self.lines: list[str] = []
        self.cancel = threading.Event()
        self.runner = CommandRunner(grace_seconds=0.3, linger_seconds=0.1)
        self.tag = f"run-{uuid.uuid4().hex}"
        self.log_file = folder / "logs" / "agent.log"

    def command(self, *argv: str, **changes: Any) -> AgentCommand:
        """A command with passing defaults; `changes` replaces fields."""
        command = AgentCommand(
            argv=argv,
            worktree=self.worktree,
            environment={"PATH": os.environ["PATH"]},
            prompt="the prompt",
            prompt_file=self.folder / "prompts" / "prompt.md",
            delivery=PromptDelivery.FILE,
            tag=self.tag,
            log_file=self.log_file,
            timeout=60.0,
            stall_timeout=60.0,
        )
        return command._replace(**changes)

    def shell(self, script: str, **changes: Any) -> AgentResult:
        """Run a shell script as the agent."""
        return self.runner.run(self.command("sh", "-c", script, **changes), self.lines.append, self.cancel)

    def python(self, program: str, *arguments: str, **changes: Any) -> AgentResult:
        """Run a Python program as the agent."""
        return self.runner.run(self.command(*PYTHON, program, *arguments, **changes), self.lines.append, self.cancel)

    def pid_in(self, name: str) -> int:
        """The pid an agent's process wrote to a file in the worktree."""
        return int((self.worktree / name).read_text())

    def assert_gone(self, *names: str) -> None:
        """Nothing with our tag lives, and neither do the processes that wrote their pid to these files."""
        assert find_tagged(self.tag) == ()
        for name in names:
            process = read_process(self.pid_in(name))
            assert process is None or not process.alive, f"{name} lives on"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[AgentBench]:
    """An `AgentBench`; after the test no process of it may be left, nor a supervisor below the launcher."""
    made = AgentBench(tmp_path)
    yield made
    assert find_tagged(made.tag) == ()
    wait_until(lambda: not _supervisors())


def _supervisors() -> list[int]:
    """What is below the launcher's process: supervisors and their agents."""
    launcher = LAUNCHER._process
    found = descendants(read_processes(), [launcher.pid]) if launcher else ()
    return [process.pid for process in found if process.alive]
