"""One run of an agent from start to report: its output, its clocks, its end."""

from __future__ import annotations

import os
import selectors
import sys
import threading
import time

from parallel_workers.adapters.agents.launcher import Launch, Report
from parallel_workers.adapters.agents.liveness import LifeSigns
from parallel_workers.adapters.agents.output import NOT_KEPT, LineAssembler, OutputDigest
from parallel_workers.adapters.agents.process_tree import Process, end_processes, find_tagged, still_alive
from parallel_workers.adapters.agents.run_log import RunLog
from parallel_workers.agent_runs import AgentCommand, AgentEnd, AgentResult

SUPERVISOR_SECONDS = 10.0
"""How long after the grace a supervisor may take to end everything and report."""

_LOOK_SECONDS = 0.1
_DRAIN_SECONDS = 1.0
_SLOW_SINK_SECONDS = 30.0
_READ_BYTES = 64 * 1024


class Watch:
    """One run, from start to report: reads output, keeps the clocks, orders the end."""

    def __init__(
        self, command: AgentCommand, launch: Launch, digest: OutputDigest, log: RunLog, supervisor: int
    ) -> None:
        self._command, self._launch, self._digest, self._log = command, launch, digest, log
        self._begun_at = time.monotonic()
        self._give_up_at = float("inf")
        self._signs = LifeSigns(supervisor, command.stall_timeout, self._begun_at)
        self._end = AgentEnd.EXITED
        self._report: Report | None = None

    def until_over(self, outputs: tuple[int, int], cancel: threading.Event, grace_seconds: float) -> AgentResult:
        """Read both pipes until the supervisor's report is there and they are at their end."""
        assemblers = {output: LineAssembler() for output in outputs}
        with selectors.DefaultSelector() as selector:
            for source in (*outputs, self._launch):
                selector.register(source, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(_LOOK_SECONDS)
                for key, _ in ready:
                    if key.fileobj is self._launch:
                        answer = self._launch.receive()
                        self._report = Report(**answer) if answer else None
                        selector.unregister(self._launch)
                        # Whatever held the pipes has ended, unless one was handed to a stranger.
                        self._give_up_at = time.monotonic() + _DRAIN_SECONDS
                    elif not self._read(key.fd, assemblers[key.fd]):
                        selector.unregister(key.fd)
                now = time.monotonic()
                if now >= self._give_up_at + (_SLOW_SINK_SECONDS if ready else 0):
                    break
                self._signs.look(now)
                if self._give_up_at == float("inf") and self._decide_end(now, cancel) is not AgentEnd.EXITED:
                    self._launch.end()
                    self._give_up_at = now + grace_seconds + SUPERVISOR_SECONDS
        result = self._result(grace_seconds)
        if cancel.is_set() and self._end is AgentEnd.EXITED and result.exit_code != 0:
            return result._replace(end=AgentEnd.CANCELLED)  # who cancels may kill it before that was seen here
        return result

    def _decide_end(self, now: float, cancel: threading.Event) -> AgentEnd:
        """Whether the run must be ended now, and why: remembered, because exit codes do not tell."""
        if cancel.is_set():
            self._end = AgentEnd.CANCELLED
        elif now - self._begun_at >= self._command.timeout:
            self._end = AgentEnd.TIMED_OUT
        elif self._signs.stalled(now):
            self._end = AgentEnd.STALLED
        return self._end

    def _read(self, output: int, assembler: LineAssembler) -> bool:
        """Take in what one pipe holds; False at its end."""
        piece = os.read(output, _READ_BYTES)
        now = time.monotonic()
        self._signs.saw_output(now)
        self._take(assembler.feed(piece) if piece else assembler.finish(), now)
        return bool(piece)

    def _take(self, block: bytes, now: float) -> None:
        if not block:
            return
        trouble = self._log.write(block)
        self._digest.take(block, now)
        if trouble:
            self._digest.say(f"{NOT_KEPT}{self._command.log_file}: {trouble}")

    def _say(self, message: str) -> None:
        self._digest.say(f"[parallel-workers] {message}")

    def _result(self, grace_seconds: float) -> AgentResult:
        """The result, once everything has ended."""
        report = self._report or Report()
        leftovers = report.leftovers
        if self._report is None:
            self._say("the agent's supervisor was killed: ending what carries the agent's tag")
            leftovers += end_processes(self._find_strays, grace_seconds)
        elif sys.platform != "linux":
            leftovers += end_processes(self._find_strays, grace_seconds)
        if report.survivors:
            self._say(f"{report.survivors} processes of the agent could not be ended")
        self._digest.report_left_out()
        return AgentResult(
            end=self._end,
            exit_code=report.exit_code,
            duration_seconds=time.monotonic() - self._begun_at,
            cpu_seconds=report.cpu_seconds,
            peak_memory_bytes=max(report.max_rss_bytes, self._signs.peak_rss_bytes),
            output_lines=self._digest.lines,
            leftovers=leftovers,
            last_lines=self._digest.last_lines,
            no_change_reason=self._digest.verdict,
        )

    def _find_strays(self) -> tuple[Process, ...]:
        """What is left without a supervisor: by the tag, and by what was last seen below it."""
        strays = (*find_tagged(self._command.tag), *still_alive(self._signs.living))
        return tuple({process.pid: process for process in strays}.values())
