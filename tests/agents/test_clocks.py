"""Timeout, stall and cancel: when a run is ended, and when it is not."""

from __future__ import annotations

import threading
import time

import pytest

from parallel_workers.adapters.agents.command import CommandRunner
from parallel_workers.agent_runs import AgentEnd
from tests.agents.conftest import AgentBench

_BUSY = "import time\nend = time.monotonic() + 3\nwhile time.monotonic() < end: pass"


def test_a_run_is_timed_out_though_it_talks(bench: AgentBench) -> None:
    result = bench.shell("while :; do echo on and on; sleep 0.05; done", timeout=0.5)
    assert result.end is AgentEnd.TIMED_OUT
    assert result.duration_seconds < 20
    assert result.last_lines[-1] == "on and on"


def test_silence_without_work_is_a_stall(bench: AgentBench) -> None:
    result = bench.shell("echo begun; sleep 300", stall_timeout=0.5)
    assert (result.end, result.last_lines) == (AgentEnd.STALLED, ("begun",))
    assert 0.5 <= result.duration_seconds < 20


def test_an_idle_event_loop_is_no_work(bench: AgentBench) -> None:
    result = bench.python("import time\nwhile True: time.sleep(0.05)", stall_timeout=1.0)
    assert result.end is AgentEnd.STALLED


def test_output_is_a_sign_of_life_even_without_a_newline(bench: AgentBench) -> None:
    assert (
        bench.shell("for i in 1 2 3 4 5 6 7 8; do printf .; sleep 0.3; done", stall_timeout=1.5).end is AgentEnd.EXITED
    )


def test_silent_computing_is_work(bench: AgentBench) -> None:
    assert bench.python(_BUSY, stall_timeout=1.5).end is AgentEnd.EXITED


def test_work_of_a_tool_in_another_session_counts(bench: AgentBench) -> None:
    program = f"import os\nif os.fork() == 0:\n os.setsid()\n exec({_BUSY!r}); os._exit(0)\nos.wait()"
    assert bench.python(program, stall_timeout=1.5).end is AgentEnd.EXITED


def test_processes_that_come_and_go_are_a_sign_of_life(bench: AgentBench) -> None:
    assert bench.shell("for i in 1 2 3 4 5 6 7 8; do sleep 0.3; done", stall_timeout=1.5).end is AgentEnd.EXITED


def test_cancel_is_noticed_at_once(bench: AgentBench) -> None:
    def on_line(line: str) -> None:
        begun.append(time.monotonic())
        threading.Timer(0.05, bench.cancel.set).start()

    begun: list[float] = []
    bench.runner = CommandRunner(grace_seconds=5.0)
    result = bench.runner.run(bench.command("sh", "-c", "echo go; exec sleep 300"), on_line, bench.cancel)
    delay = time.monotonic() - begun[0]
    assert (result.end, result.exit_code) == (AgentEnd.CANCELLED, -15)
    assert delay < 2.0  # 0.2 on an idle machine; the grace alone would be longer


def test_what_was_cancelled_before_is_not_started(bench: AgentBench) -> None:
    bench.cancel.set()
    assert bench.shell("touch started").end is AgentEnd.CANCELLED
    assert not (bench.worktree / "started").exists()


@pytest.mark.parametrize(("code", "end"), [(3, AgentEnd.CANCELLED), (0, AgentEnd.EXITED)])
def test_what_is_killed_before_the_cancel_is_seen_counts_as_cancelled(
    bench: AgentBench, code: int, end: AgentEnd
) -> None:
    """A second Ctrl-C kills all agents itself; one that had just ended well keeps its result."""

    def on_line(line: str) -> None:
        if line == "go":
            time.sleep(0.5)  # it has ended when its last line is read
        else:
            bench.cancel.set()

    script = f"echo go; sleep 0.1; echo bye; exit {code}"
    result = bench.runner.run(bench.command("sh", "-c", script), on_line, bench.cancel)
    assert (result.end, result.exit_code) == (end, code)


def test_an_agent_that_ends_well_when_told_to_end_is_still_cancelled(bench: AgentBench) -> None:
    """claude may answer TERM with exit code 0 and a normal last message."""
    result = bench.shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.02; done", timeout=0.3)
    assert (result.end, result.exit_code, result.last_lines[-1]) == (AgentEnd.TIMED_OUT, 0, "bye")
