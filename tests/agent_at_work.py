"""An agent that is in the middle of its work with a child beside it, and what must hold once somebody cancels it."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from parallel_workers.adapters.agents.process_tree import (
    Process,
    descendants,
    read_process,
    read_processes,
    send_signal,
    still_alive,
)

_SECONDS = 120.0
_WORK = """
test ! -e '{file}.go' || {{ echo done > done.txt; exit 0; }}
{trap}
echo committed > committed.txt; git add committed.txt; git commit --quiet --message 'feat: a part'
echo some > some.txt
sleep 600 & echo $$ $! > '{file}.new'; mv '{file}.new' '{file}'
while :; do wait || true; done
"""


class AgentAtWork(NamedTuple):
    """One agent; `file` is where it writes who it is once its work is there: a commit, and a file that is in none."""

    file: Path
    ignores_term: bool = False

    @property
    def shell(self) -> str:
        """What the agent does. After `let_finish` it ends well at once."""
        return _WORK.format(file=self.file, trap="trap '' TERM" if self.ignores_term else "")

    def let_finish(self) -> None:
        """From now on an agent that begins finishes."""
        self.file.with_name(f"{self.file.name}.go").touch()

    def wait_until_at_work(self) -> tuple[Process, ...]:
        """The agent and its child, once its work is there."""
        deadline = time.monotonic() + _SECONDS
        while not self.file.exists():
            assert time.monotonic() < deadline, "the agent has not begun"
            time.sleep(0.05)
        found = [read_process(int(pid)) for pid in self.file.read_text(encoding="ascii").split()]
        living = tuple(process for process in found if process is not None)
        assert len(living) == 2, "agent and child live"
        return living


def assert_ended_and_kept(processes: tuple[Process, ...], worktree: Path) -> None:
    """Agent and child have ended; what was committed and what was not is in the worktree to the byte."""
    deadline = time.monotonic() + _SECONDS
    while left := still_alive(processes):
        assert time.monotonic() < deadline, f"still alive: {left}"
        time.sleep(0.05)
    assert (worktree / "some.txt").read_bytes() == b"some\n"
    shown = subprocess.run(["git", "show", "HEAD:committed.txt"], cwd=worktree, capture_output=True, check=False)
    assert shown.stdout == b"committed\n", shown.stderr


def kill_engine(agent: Process) -> None:
    """Kill whatever started it: its supervisor first, which would end it, and all but the agent at one go."""
    table = read_processes()
    supervisor = table[agent.pid].parent
    engine = table[table[table[supervisor].parent].parent]  # it starts a launcher, which forks supervisors
    kept = {process.pid for process in (agent, *descendants(table, [agent.pid]))}
    targets = [process for process in descendants(table, [engine.pid]) if process.pid not in kept] + [engine]
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for process in targets:
            send_signal(process, signum)
