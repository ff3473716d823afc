"""A worker's work: run the agent, commit what it left, hold it against the gates, until there is evidence."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, assert_never

from parallel_workers.agent_runs import AgentCommand, AgentEnd, AgentResult
from parallel_workers.crash_points import reach
from parallel_workers.decisions.evidence import Done, Failed, NoChangeNeeded, judge_evidence
from parallel_workers.errors import (
    AgentFailedError,
    AgentNotFoundError,
    GateFailedError,
    ParallelWorkersError,
    StoppedError,
)
from parallel_workers.messages import phase_commit
from parallel_workers.plain_text import clean_text
from parallel_workers.ports import AgentRunner, GitRepository, LineSink
from parallel_workers.prompts import render_prompt
from parallel_workers.spec import DEFAULT_GATE_ROUNDS, Gate, PromptDelivery, TaskOrder
from parallel_workers.work_report import GateResult, WorkCommit, WorkReport
from parallel_workers.worktrees import BranchWork


class Bench(NamedTuple):
    """What a worker works with: tools, its own environment, where its files outside the worktree lie."""

    git: GitRepository
    runner: AgentRunner
    environment: Mapping[str, str]
    folder: Path
    on_line: LineSink
    cancel: threading.Event

    @property
    def prompt_file(self) -> Path:
        """The init prompt; outside the worktree, so that it is never committed."""
        return self.folder / "prompt.md"


class WorkStart(NamedTuple):
    """Where a piece of work begins.

    `base_sha` is what the branch's changes are compared with; evidence is what came after `since_sha`, which is
    `base_sha` unless this is a rework. `feedback` is told to the agent in its first round. `conflicts` are files that
    a merge has left with markers. Without `needs_agent` the work is there, and the agent runs only when a gate fails.
    """

    base_sha: str
    since_sha: str = ""
    feedback: str | None = None
    conflicts: tuple[str, ...] = ()
    needs_agent: bool = True


class _Effort(NamedTuple):
    """What all rounds of the agent cost together."""

    rounds: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    output_lines: int = 0

    def plus(self, result: AgentResult) -> _Effort:
        return _Effort(
            self.rounds + 1,
            self.seconds + result.duration_seconds,
            self.cpu_seconds + result.cpu_seconds,
            max(self.peak_memory_bytes, result.peak_memory_bytes),
            self.output_lines + result.output_lines,
        )


_SEEN_OF_AGENT = {"adapter", "command", "prompt", "env", "instructions"}
_SEEN_OF_TASK = {"id", "description", "agent", "prompt", "paths"}


def work_fingerprint(order: TaskOrder, base_sha: str, again: str) -> str:
    """The same for orders that an agent cannot tell apart: who merges, how often we look and such do not count."""
    seen = {
        "task": order.task.model_dump(mode="json", include=_SEEN_OF_TASK),
        "agent": order.agent.model_dump(mode="json", include=_SEEN_OF_AGENT),
        "rest": order.model_dump(mode="json", include={"gates", "setup", "base_branch", "branch", "worktree"}),
        "base_sha": base_sha,
        "again": again,
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


def run_setup(order: TaskOrder, bench: Bench) -> None:
    """Run the set-up commands in the worktree, one after the other, once per worktree.

    Raises:
        AgentFailedError: one ended non-zero; the message holds its last lines.
    """
    finished, worktree = bench.folder / "set-up", _mark_of(Path(order.worktree))
    if finished.exists() and finished.read_text() == worktree:
        return
    was_clean = bench.git.get_status(Path(order.worktree), "HEAD").clean
    for command in order.setup:
        result = bench.runner.run(_shell(order, command, bench), bench.on_line, bench.cancel)
        _refuse_stopped(result)
        if result.exit_code != 0 or result.end is not AgentEnd.EXITED:
            said = "\n".join(result.last_lines)
            raise AgentFailedError(f"set-up step `{command}` ended {result.exit_code} ({result.end}):\n{said}")
        reach("set-up.step-ended")
    left = bench.git.get_status(Path(order.worktree), "HEAD")
    if was_clean and not left.clean:
        names = ", ".join((*left.changed, *left.untracked)[:5])
        raise AgentFailedError(
            f"the set-up steps left {names} in the worktree, which would be taken for the agent's work: "
            f"add what they make to .gitignore on {order.base_branch}"
        )
    finished.write_text(worktree)
    reach("set-up.noted")


def _mark_of(worktree: Path) -> str:
    """Tells this worktree from an earlier one at the same path: a new one has a new `.git` file."""
    link = (worktree / ".git").stat()
    return f"{link.st_ino} {link.st_mtime_ns}"


def prepare(order: TaskOrder, bench: Bench) -> None:
    """Write the init prompt beside the worktree and see that the agent's program can be started.

    Raises:
        AgentNotFoundError: it is not in the worker's PATH, or not executable.
    """
    program = order.agent.command[0]
    if (
        shutil.which(program, path=bench.environment.get("PATH")) is None
        and not Path(order.worktree, program).is_file()
    ):
        raise AgentNotFoundError(
            f"agent {order.task.agent}: no program `{program}` in the worker's PATH; install it, "
            f"or change `agents: {order.task.agent}: command:`"
        )
    _write_prompt(order, None, bench)
    reach("init.prompt-written")


def carry_out(order: TaskOrder, start: WorkStart, bench: Bench) -> WorkReport:
    """Run the agent until its work is there, nothing is in conflict, and every gate holds.

    A failing gate, and a conflict that is left, go back to the agent, at most `DEFAULT_GATE_ROUNDS` rounds in all.

    Raises:
        AgentFailedError: no evidence of work, or files are still in conflict after the last round.
        GateFailedError: a gate still fails after the last round.
        StoppedError: the worker was told to stop.
    """
    effort, feedback = _Effort(), start.feedback
    failure: ParallelWorkersError | None = None
    while failure is None or effort.rounds < DEFAULT_GATE_ROUNDS:
        result = None
        if start.needs_agent or failure is not None:
            result = bench.runner.run(_agent(order, feedback, bench), bench.on_line, bench.cancel)
            _refuse_stopped(result)
            reach("agent.ended")
            effort = effort.plus(result)
            _hold_branch(order, result, bench)
            unsolved = _find_unsolved(order, start, result, bench)
            if unsolved:
                bench.on_line(f"still in conflict (round {effort.rounds}): {unsolved}")
                feedback = f"Still in conflict, or with conflict markers left in them: {unsolved}. Settle that."
                failure = AgentFailedError(f"still in conflict after {effort.rounds} rounds of the agent: {unsolved}")
                continue
        report = _gather_evidence(order, start, result, effort, bench)
        gates = _try_gates(order, bench) if report.commits and report.no_change_reason is None else ()
        failed = next((gate for gate in gates if not gate.passed), None)
        if failed is None:
            reach("work.gates-held")
            return report.model_copy(update={"gates": gates})
        bench.on_line(f"gate {failed.name} does not hold (round {effort.rounds})")
        feedback = f"The gate `{failed.name}` does not hold. It said:\n\n{failed.output}\n\nMend this."
        failure = GateFailedError(f"gate {failed.name} still fails after {effort.rounds} rounds:\n{failed.output}")
    raise failure


def _hold_branch(order: TaskOrder, result: AgentResult, bench: Bench) -> None:
    """See that the agent left its branch where commits belong; how it ended itself comes first in what is said."""
    try:
        bench.git.hold_branch(Path(order.worktree), order.branch)
    except AgentFailedError as strayed:
        ended = judge_evidence(result, BranchWork("", (), 0, 0, 0, ""), clean=False)
        if isinstance(ended, Failed) and (result.end is not AgentEnd.EXITED or result.exit_code != 0):
            raise AgentFailedError(f"{ended.reason}\nBesides, {strayed}") from strayed
        raise


def _find_unsolved(order: TaskOrder, start: WorkStart, result: AgentResult, bench: Bench) -> str:
    """Files that the agent left in conflict, named; committed as they are they would look like work."""
    if not start.conflicts or result.end is not AgentEnd.EXITED or result.exit_code != 0:
        return ""
    return clean_text(", ".join(bench.git.find_conflicts(Path(order.worktree), start.base_sha)))


def _gather_evidence(
    order: TaskOrder, start: WorkStart, result: AgentResult | None, effort: _Effort, bench: Bench
) -> WorkReport:
    """The report of what is there; `result` is None when no agent had to run."""
    if result is None or (result.end is AgentEnd.EXITED and result.exit_code == 0):
        bench.git.commit_all(Path(order.worktree), phase_commit(order))
        reach("work.committed")
    work = bench.git.get_branch_work(order.branch, start.base_sha)
    report = WorkReport(
        base_sha=start.base_sha,
        head_sha=work.head_sha,
        commits=tuple(WorkCommit(sha=commit.sha, subject=commit.subject) for commit in work.commits),
        files_changed=work.files_changed,
        insertions=work.insertions,
        deletions=work.deletions,
        diff_stat=work.diff_stat,
        rounds=effort.rounds,
        agent_seconds=effort.seconds,
        cpu_seconds=effort.cpu_seconds,
        peak_memory_bytes=effort.peak_memory_bytes,
        output_lines=effort.output_lines,
    )
    if result is None:
        return report
    new = bench.git.get_branch_work(order.branch, start.since_sha) if start.since_sha else work
    evidence = judge_evidence(result, new, clean=True)
    match evidence:
        case Done():
            return report
        case NoChangeNeeded(reason=reason):
            return report.model_copy(update={"no_change_reason": clean_text(reason)})
        case Failed(reason=reason):
            raise AgentFailedError(reason)
        case _:
            assert_never(evidence)


def _try_gates(order: TaskOrder, bench: Bench) -> tuple[GateResult, ...]:
    """Every gate in order, up to and including the first that fails."""
    results: list[GateResult] = []
    for gate in order.gates:
        results.append(_try_gate(order, gate, bench))
        if not results[-1].passed:
            break
        reach("work.gate-held")
    return tuple(results)


def _try_gate(order: TaskOrder, gate: Gate, bench: Bench) -> GateResult:
    begun = time.monotonic()
    result = bench.runner.run(_shell(order, gate.run, bench, gate.timeout), bench.on_line, bench.cancel)
    _refuse_stopped(result)
    passed = result.exit_code == 0 and result.end is AgentEnd.EXITED
    said = "\n".join((*result.last_lines, f"exit code {result.exit_code}, {result.end}"))
    return GateResult(name=gate.name, passed=passed, seconds=time.monotonic() - begun, output="" if passed else said)


def _refuse_stopped(result: AgentResult) -> None:
    if result.end is AgentEnd.CANCELLED:
        raise StoppedError("stopped; what it did is kept in its worktree")


def _agent(order: TaskOrder, feedback: str | None, bench: Bench) -> AgentCommand:
    """The agent's command; the prompt lies in a file too, so that a person can see what it was told."""
    prompt = _write_prompt(order, feedback, bench)
    return AgentCommand(
        argv=order.agent.command,
        worktree=Path(order.worktree),
        environment=bench.environment,
        prompt=prompt,
        prompt_file=bench.prompt_file,
        delivery=order.agent.prompt,
        tag=order.worker,
        log_file=bench.folder / "agent.log",
        timeout=order.task.timeout or order.agent.timeout,
        stall_timeout=order.agent.stall_timeout,
    )


def _write_prompt(order: TaskOrder, feedback: str | None, bench: Bench) -> str:
    prompt = render_prompt(order, order.agent.instructions, feedback)
    bench.folder.mkdir(parents=True, exist_ok=True)
    bench.prompt_file.touch(mode=0o600)
    bench.prompt_file.write_text(prompt, encoding="utf-8")
    return prompt


def _shell(order: TaskOrder, command: str, bench: Bench, timeout: float | None = None) -> AgentCommand:
    """A trusted shell command of the batch author, run like an agent: same environment, same end."""
    limit = timeout or order.agent.timeout
    bench.folder.mkdir(parents=True, exist_ok=True)
    bench.on_line(f"$ {shlex.join(('sh', '-c', command))}")
    return AgentCommand(
        argv=("sh", "-c", command),
        worktree=Path(order.worktree),
        environment=bench.environment,
        prompt="",
        prompt_file=bench.prompt_file,
        delivery=PromptDelivery.STDIN,
        tag=order.worker,
        log_file=bench.folder / "steps.log",
        timeout=limit,
        stall_timeout=limit,
    )
