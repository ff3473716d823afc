"""An engine is killed while its agent runs: who takes the worker up finds nothing at work, and touches nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parallel_workers.adapters.agents.leftovers import end_leftovers, note_file, note_supervisor, noted
from parallel_workers.adapters.agents.process_tree import read_process, send_signal
from tests.agents.conftest import AgentBench, wait_until

_ENGINE = """
import os, sys, threading
from pathlib import Path
from parallel_workers.adapters.agents.command import CommandRunner
from parallel_workers.agent_runs import AgentCommand
from parallel_workers.spec import PromptDelivery
worktree, tag, folder, script = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4]
CommandRunner(grace_seconds=0.5).run(
    AgentCommand(("sh", "-c", script), worktree, {"PATH": os.environ["PATH"]}, "", folder / "p", PromptDelivery.FILE,
                 tag, folder / "log", 60.0, 60.0), print, threading.Event())
"""
_NOBODY = "worker-nobody"
_STUBBORN = "trap '' TERM; echo $$ > leader; while :; do sleep 0.05; done"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


@contextmanager
def engine_at(bench: AgentBench, folder: Path, script: str) -> Iterator[subprocess.Popen[bytes]]:
    """An engine whose agent runs `script`, which writes its pid to `leader`."""
    root = Path(__file__).parents[2]
    arguments = [sys.executable, "-c", _ENGINE, str(bench.worktree), bench.tag, str(folder), script]
    with subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": str(root)}) as engine:
        try:
            wait_until(lambda: (bench.worktree / "leader").exists() and _supervisor(bench, folder) > 0, 20)
            yield engine
        finally:
            engine.kill()


def _supervisor(bench: AgentBench, folder: Path) -> int:
    try:
        return int(json.loads(note_file(folder, bench.tag).read_text())["supervisor"])
    except FileNotFoundError:
        return 0


def test_the_supervisor_is_waited_for(bench: AgentBench, folder: Path) -> None:
    with engine_at(bench, folder, _STUBBORN) as engine:
        engine.kill()
        engine.wait()
        assert read_process(bench.pid_in("leader")) is not None, "TERM alone does not end it"
        assert end_leftovers(folder, bench.tag) == 0
        bench.assert_gone("leader")
    assert end_leftovers(folder, bench.tag) is None, "there is nothing to look for a second time"


def test_without_a_supervisor_the_tag_tells(bench: AgentBench, folder: Path) -> None:
    with engine_at(bench, folder, _STUBBORN) as engine:
        supervisor = read_process(_supervisor(bench, folder))
        assert supervisor is not None
        send_signal(supervisor, 9)
        engine.kill()
        engine.wait()
        assert (end_leftovers(folder, bench.tag) or 0) >= 1
        bench.assert_gone("leader")


def test_a_supervisor_that_hangs_is_ended_with_all_below(bench: AgentBench, folder: Path) -> None:
    with engine_at(bench, folder, "echo $$ > leader; exec env -i sleep 300") as engine:
        supervisor = read_process(_supervisor(bench, folder))
        assert supervisor is not None
        send_signal(supervisor, 19)
        engine.kill()
        engine.wait()
        assert (end_leftovers(folder, bench.tag, patience_seconds=0.2) or 0) >= 1
        bench.assert_gone("leader")
        wait_until(lambda: not (found := read_process(supervisor.pid)) or not found.alive)


@pytest.mark.parametrize("change", [{"started": 1.0}, {"boot": "another"}])
def test_a_process_that_got_the_same_id_is_left_alone(folder: Path, change: dict[str, object]) -> None:
    with subprocess.Popen(["sleep", "300"]) as stranger:
        try:
            with noted(folder, _NOBODY):
                note_supervisor(folder, _NOBODY, stranger.pid)
                file = note_file(folder, _NOBODY)
                file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
                begun = time.monotonic()
                assert end_leftovers(folder, _NOBODY) == 0
                assert time.monotonic() - begun < 5
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_run_that_ends_leaves_no_note(bench: AgentBench) -> None:
    bench.shell("true")
    assert not note_file(bench.log_file.parent, bench.tag).exists()
    assert end_leftovers(bench.log_file.parent, bench.tag) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": 1}'])
def test_a_note_that_was_cut_short_is_still_a_note(folder: Path, text: str) -> None:
    folder.mkdir()
    note_file(folder, _NOBODY).write_text(text)
    assert end_leftovers(folder, _NOBODY) == 0
