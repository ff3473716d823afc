"""The `command` adapter: any program run as an agent in a worktree."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from parallel_workers.adapters.agents.invocation import decide_invocation, explain_refused_start, find_program
from parallel_workers.adapters.agents.launcher import LAUNCHER, Launch, LaunchRequest
from parallel_workers.adapters.agents.leftovers import end_leftovers, note_supervisor, noted
from parallel_workers.adapters.agents.output import OutputDigest
from parallel_workers.adapters.agents.process_tree import TAG_VARIABLE, end_tagged
from parallel_workers.adapters.agents.run_log import DEFAULT_LIMIT_BYTES, RunLog
from parallel_workers.adapters.agents.watch import SUPERVISOR_SECONDS, Watch
from parallel_workers.agent_runs import AgentCommand, AgentEnd, AgentResult
from parallel_workers.crash_points import reach
from parallel_workers.errors import AgentFailedError
from parallel_workers.ports import LineSink

GRACE_SECONDS = 5.0
LINGER_SECONDS = 0.5


class CommandRunner:
    """Carries out `ports.AgentRunner` for programs of any kind. Thread-safe; one `run` per thread.

    `grace_seconds` passes between TERM and KILL; `linger_seconds` is how long what the agent left running may
    end by itself; `log_limit_bytes` bounds the log file.
    """

    def __init__(
        self,
        *,
        grace_seconds: float = GRACE_SECONDS,
        linger_seconds: float = LINGER_SECONDS,
        log_limit_bytes: int = DEFAULT_LIMIT_BYTES,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._linger_seconds = linger_seconds
        self._log_limit_bytes = log_limit_bytes

    def run(self, command: AgentCommand, on_line: LineSink, cancel: threading.Event) -> AgentResult:
        """Run until it ends, times out, stalls, or `cancel` is set; nothing it started is left running.

        `prompt_file` is written (0600) from `prompt`, so that every way of delivery says the same.

        Raises:
            AgentNotFoundError: the program, or its interpreter, is missing or not executable.
            UsageError: the prompt cannot be delivered this way; nothing was started.
            AgentFailedError: no process could be started at all.
        """
        invocation = decide_invocation(command)
        program = find_program(command.argv[0], command.environment, command.worktree)
        if cancel.is_set():
            return AgentResult(AgentEnd.CANCELLED, -signal.SIGTERM, 0.0, 0.0, 0, 0, 0, ())
        _write_prompt(command)
        request = LaunchRequest(
            program=str(program),
            argv=invocation.argv,
            environment={**command.environment, TAG_VARIABLE: command.tag},
            worktree=str(command.worktree),
            linger_seconds=self._linger_seconds,
            grace_seconds=self._grace_seconds,
        )
        with noted(command.log_file.parent, command.tag):
            return self._run(command, request, str(invocation.stdin), on_line, cancel)

    def end_leftovers(self, folder: Path, tag: str) -> int | None:
        """See ports.AgentRunner."""
        return end_leftovers(folder, tag)

    def _run(
        self, command: AgentCommand, request: LaunchRequest, stdin: str, on_line: LineSink, cancel: threading.Event
    ) -> AgentResult:
        launch, outputs = _launch(request, stdin)
        try:
            supervisor = _confirm_start(launch, Path(request.program), command.tag)
            note_supervisor(command.log_file.parent, command.tag, supervisor)
            reach("agent.started")
            with RunLog(command.log_file, self._log_limit_bytes) as log:
                watch = Watch(command, launch, OutputDigest(on_line), log, supervisor)
                return watch.until_over(outputs, cancel, self._grace_seconds)
        except BaseException:
            launch.abandon(self._grace_seconds + SUPERVISOR_SECONDS)
            raise
        finally:
            launch.close()
            for output in outputs:
                os.close(output)


def _confirm_start(launch: Launch, program: Path, tag: str) -> int:
    """The supervisor's pid, once the program runs; raises what `CommandRunner.run` says otherwise."""
    answer = launch.receive()
    if answer is None:
        end_tagged(tag)  # The agent may have begun, and ended its own supervisor first thing.
        raise AgentFailedError("no agent could be started: its supervisor ended")
    if "errno" not in answer:
        return int(answer["started"])
    error = OSError(answer["errno"], os.strerror(answer["errno"]))
    if answer["where"] != "program":
        raise AgentFailedError(f"no agent could be started ({answer['where']}): {error.strerror}")
    raise explain_refused_start(error, program)


def _launch(request: LaunchRequest, stdin_path: str) -> tuple[Launch, tuple[int, int]]:
    """Start it; the launch and the read ends of its stdout and stderr."""
    stdin = os.open(stdin_path, os.O_RDONLY | os.O_CLOEXEC)
    stdout, stdout_end = os.pipe()
    stderr, stderr_end = os.pipe()
    try:
        return LAUNCHER.launch(request, (stdin, stdout_end, stderr_end)), (stdout, stderr)
    except OSError as error:
        os.close(stdout)
        os.close(stderr)
        raise AgentFailedError(f"no agent could be started: {error.strerror}") from error
    finally:
        for file in (stdin, stdout_end, stderr_end):
            os.close(file)


def _write_prompt(command: AgentCommand) -> None:
    command.prompt_file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(command.prompt_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(command.prompt)
