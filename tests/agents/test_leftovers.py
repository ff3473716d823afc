"""Whatever an agent starts, and however it hides it, nothing is left running; and nothing else is touched."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from parallel_workers.adapters.agents.process_tree import read_process
from parallel_workers.agent_runs import AgentEnd
from parallel_workers.errors import AgentFailedError
from tests.agents.conftest import AgentBench, wait_until

# fork, setsid, fork, no environment, all descriptors closed, cwd /: found neither by group, tag, cwd nor pipe.
_DAEMON = """
import os, signal, sys
mode = sys.argv[1]
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        if "deaf" in mode:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open("daemon", "w").write(str(os.getpid()))
        os.chdir("/")
        os.write(write, b"+")
        if "quiet" in mode:
            os.closerange(0, 64)
            os.open("/dev/null", os.O_RDWR), os.dup(0), os.dup(0)
        os.execve("/bin/sleep", ["sleep", "300"], {} if "bare" in mode else os.environ)
    os._exit(0)
os.wait()
os.read(read, 1)
"""


@pytest.mark.parametrize("mode", ["loud", "quiet", "bare-quiet", "bare-loud", "deaf-bare-quiet"])
def test_a_daemon_is_ended_after_a_successful_run(bench: AgentBench, mode: str) -> None:
    begun = time.monotonic()
    result = bench.python(_DAEMON, mode)
    assert (result.end, result.exit_code, result.leftovers) == (AgentEnd.EXITED, 0, 1)
    assert time.monotonic() - begun < 20
    bench.assert_gone("daemon")


@pytest.mark.parametrize("mode", ["bare-loud", "deaf-bare-quiet"])
def test_a_daemon_is_ended_with_a_cancelled_run(bench: AgentBench, mode: str) -> None:
    def cancel_when_ready() -> None:
        wait_until((bench.worktree / "ready").exists)
        bench.cancel.set()

    canceller = threading.Thread(target=cancel_when_ready)
    canceller.start()
    result = bench.python(_DAEMON + "open('ready', 'w').close()\nsignal.pause()", mode)
    canceller.join()
    assert result.end is AgentEnd.CANCELLED
    assert result.exit_code == -signal.SIGTERM
    bench.assert_gone("daemon")


def test_a_background_job_does_not_hold_the_run(bench: AgentBench) -> None:
    begun = time.monotonic()
    result = bench.shell("sleep 300 & echo $! > job; echo done")
    assert (result.exit_code, result.leftovers, bench.lines) == (0, 1, ["done"])
    assert time.monotonic() - begun < 20
    bench.assert_gone("job")


def test_what_ends_by_itself_soon_after_is_let_be(bench: AgentBench) -> None:
    bench.runner._linger_seconds = 5.0
    result = bench.shell("(sleep 0.2; echo late > late) & exit 0")
    assert (result.leftovers, (bench.worktree / "late").read_text()) == (0, "late\n")


def test_a_tool_in_a_session_of_its_own_is_ended_on_timeout(bench: AgentBench) -> None:
    result = bench.shell("setsid sh -c 'echo $$ > tool; exec sleep 300' & echo $$ > leader; wait", timeout=0.5)
    assert result.end is AgentEnd.TIMED_OUT
    assert result.leftovers >= 1
    bench.assert_gone("tool", "leader")


def test_who_ignores_term_is_killed(bench: AgentBench) -> None:
    result = bench.shell("trap '' TERM; echo $$ > leader; while :; do sleep 0.1; done", timeout=0.4)
    assert (result.end, result.exit_code) == (AgentEnd.TIMED_OUT, -signal.SIGKILL)
    bench.assert_gone("leader")


def test_a_stopped_process_is_ended(bench: AgentBench) -> None:
    result = bench.shell("sleep 300 & echo $! > job; kill -STOP $!; exit 0")
    assert (result.exit_code, result.leftovers) == (0, 1)
    bench.assert_gone("job")


def test_an_agent_may_tidy_up_on_term(bench: AgentBench) -> None:
    bench.runner._grace_seconds = 10.0
    result = bench.shell("trap 'echo saved > work; exit 7' TERM; while :; do sleep 0.05; done", timeout=0.4)
    assert (result.exit_code, (bench.worktree / "work").read_text()) == (7, "saved\n")


def test_an_agent_that_closes_its_pipes_goes_on(bench: AgentBench) -> None:
    result = bench.shell("echo before; exec >&- 2>&-; sleep 0.4; echo after > proof; exit 5")
    assert (result.exit_code, bench.lines) == (5, ["before"])
    assert (bench.worktree / "proof").exists()


def test_processes_that_keep_forking_are_ended(bench: AgentBench) -> None:
    hopper = "import os, time\nwhile not os.fork():\n time.sleep(0.002)\n open('hops', 'a').write('.')"
    result = bench.python(hopper)
    assert result.exit_code == 0
    assert result.leftovers >= 1
    bench.assert_gone()


def test_a_killed_supervisor_leaves_nothing(bench: AgentBench) -> None:
    result = bench.shell("sleep 300 & echo $! > job; sleep 0.2; kill -9 $PPID; sleep 300")
    assert result.exit_code == -signal.SIGKILL
    assert any("supervisor was killed" in line for line in result.last_lines)
    bench.assert_gone("job")


def test_a_supervisor_killed_first_thing_leaves_nothing(bench: AgentBench) -> None:
    with contextlib.suppress(AgentFailedError):
        bench.shell("kill -9 $PPID; sleep 300 & echo $! > job; sleep 300")
    bench.assert_gone()


def test_a_killed_engine_leaves_nothing(bench: AgentBench, tmp_path: Path) -> None:
    engine = tmp_path / "engine.py"
    engine.write_text(_ENGINE)
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, str(engine), str(bench.worktree), bench.tag], env={**os.environ, "PYTHONPATH": str(root)}
    )
    wait_until((bench.worktree / "daemon").exists, 20)
    process.kill()
    process.wait()
    daemon = bench.pid_in("daemon")
    wait_until(lambda: not (found := read_process(daemon)) or not found.alive)
    wait_until(lambda: not (found := read_process(bench.pid_in("leader"))) or not found.alive)


_ENGINE = f"""
import sys, threading
from pathlib import Path
from parallel_workers.adapters.agents.command import CommandRunner
from parallel_workers.agent_runs import AgentCommand
from parallel_workers.spec import PromptDelivery
worktree = Path(sys.argv[1])
program = {_DAEMON!r} + "open('leader', 'w').write(str(os.getpid()))\\nsignal.pause()"
CommandRunner(grace_seconds=0.2).run(
    AgentCommand((sys.executable, "-I", "-S", "-c", program, "deaf-bare-quiet"), worktree, {{}}, "", worktree / "p",
                 PromptDelivery.FILE, sys.argv[2], worktree / "log", 60.0, 60.0), print, threading.Event())
"""


def test_a_failing_sink_ends_the_agent(bench: AgentBench) -> None:
    def refuse(line: str) -> None:
        raise RuntimeError(line)

    with pytest.raises(RuntimeError, match="hello"):
        bench.runner.run(
            bench.command("sh", "-c", "echo $$ > leader; echo hello; exec sleep 300"), refuse, bench.cancel
        )
    bench.assert_gone("leader")


def test_strangers_are_left_alone(bench: AgentBench) -> None:
    """A process of ours in the same worktree, and one of another run, outlive this run's end."""
    with subprocess.Popen(["sleep", "300"], cwd=bench.worktree) as stranger:
        other = subprocess.Popen(["sleep", "300"], env={**os.environ, "PARALLEL_WORKERS_RUN": f"{bench.tag}-2"})
        try:
            bench.shell("sleep 300 & exec sleep 300", timeout=0.2)
            assert (stranger.poll(), other.poll()) == (None, None)
        finally:
            other.kill()
            other.wait()
            stranger.kill()
