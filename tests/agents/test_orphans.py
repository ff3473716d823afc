"""Agents whose engine may be dead are found by tag and data folder, and ended; nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parallel_workers.adapters.agents.orphans import end_agents, find_agents
from parallel_workers.adapters.agents.process_tree import TAG_VARIABLE
from tests.agents.conftest import PYTHON, wait_until

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def worker() -> str:
    return f"worker-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "data" / "runs"


@pytest.fixture
def start(runs: Path, worker: str) -> Iterator[Start]:
    """Start a program as an engine with the data folder `runs` starts an agent; ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*command: str, runs: Path = runs, tag: str = worker) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            TAG_VARIABLE: tag,
            "PARALLEL_WORKERS_PROMPT_FILE": str(runs / tag / "prompt.md"),
        }
        started.append(subprocess.Popen(command, env=environment, start_new_session=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_an_agent_is_found_with_what_it_started_even_without_the_tag(start: Start, runs: Path, worker: str) -> None:
    agent = start("sh", "-c", "env -i /bin/sleep 60 & wait")
    wait_until(lambda: len(find_agents(runs).get(worker, ())) == 2)
    pids = {process.pid for process in find_agents(runs)[worker]}
    assert agent.pid in pids


def test_agents_of_another_data_folder_are_not_ours(start: Start, runs: Path, worker: str, tmp_path: Path) -> None:
    stranger = start("sleep", "60", runs=tmp_path / "other" / "runs")
    assert worker not in find_agents(runs)
    assert end_agents(worker, runs, 0.1) == 0
    assert stranger.poll() is None


def test_agents_are_ended_even_when_they_ignore_term(start: Start, runs: Path, worker: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    deaf = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    first, second = start(*PYTHON, deaf), start("sleep", "60")
    other = start("sleep", "60", tag=f"{worker}-other")
    wait_until(ready.exists)
    assert end_agents(worker, runs, 0.2) == 2
    assert (first.wait(), second.wait()) == (-signal.SIGKILL, -signal.SIGTERM)
    assert other.poll() is None
    assert worker not in find_agents(runs)


def test_who_asks_is_never_found(runs: Path, worker: str, start: Start, tmp_path: Path) -> None:
    """`doctor` called by an agent: neither it nor the agent that called it counts as left over."""
    root = Path(__file__).parents[2]
    code = f"import sys; sys.path.insert(0, {str(root)!r})\n"
    code += "from pathlib import Path\nfrom parallel_workers.adapters.agents.orphans import find_agents\n"
    code += f"Path({str(tmp_path / 'said')!r}).write_text(str(find_agents(Path({str(runs)!r}))))"
    agent = start("sh", "-c", '"$0" -c "$1"; exit 0', sys.executable, code)
    assert agent.wait() == 0
    assert (tmp_path / "said").read_text() == "{}"
