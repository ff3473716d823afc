"""Sections about a worker's changes, for its report and its pull request. Commits and paths are the agent's words."""

from __future__ import annotations

from parallel_workers.durations import duration
from parallel_workers.markdown import code, escaped, fenced
from parallel_workers.work_report import WorkReport


def commit_list(work: WorkReport) -> str:
    """One item per commit; '' without commits."""
    return "\n".join(f"- {code(commit.sha[:9])} {escaped(commit.subject)}" for commit in work.commits)


def diff_stat(work: WorkReport) -> str:
    """What git says of the changed files, as it says it; '' without changes."""
    return fenced(work.diff_stat) if work.diff_stat.strip() else ""


def gate_table(work: WorkReport) -> str:
    """One row per gate, then the last output of those that failed; '' without gates."""
    if not work.gates:
        return ""
    rows = (
        f"| {escaped(gate.name)} | {_verdict(passed=gate.passed)} | {duration(gate.seconds)} |" for gate in work.gates
    )
    outputs = (
        f"{escaped(gate.name)}:\n\n{fenced(gate.output)}" for gate in work.gates if gate.output and not gate.passed
    )
    return "\n\n".join(["| gate | result | time |\n|---|---|---|\n" + "\n".join(rows), *outputs])


def _verdict(*, passed: bool) -> str:
    return "passed" if passed else "**failed**"
