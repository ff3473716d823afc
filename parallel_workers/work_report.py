"""What came of a worker's work: the evidence a pull request is opened on."""

from __future__ import annotations

from parallel_workers.plain_text import CleanText
from parallel_workers.spec import Frozen


class WorkCommit(Frozen):
    """A commit on the worker's branch."""

    sha: str
    subject: CleanText


class GateResult(Frozen):
    """A gate that was tried; `output` holds its last lines when it failed."""

    name: str
    passed: bool
    seconds: float
    output: CleanText = ""


class WorkReport(Frozen):
    """Commits, changes, gates and cost of one worker's work. Seconds and bytes; kept as a Prefect result."""

    base_sha: str
    head_sha: str
    commits: tuple[WorkCommit, ...] = ()
    files_changed: int = 0
    insertions: int = 0
    deletions: int = 0
    diff_stat: CleanText = ""
    gates: tuple[GateResult, ...] = ()
    rounds: int = 1
    agent_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    output_lines: int = 0
    no_change_reason: CleanText | None = None
