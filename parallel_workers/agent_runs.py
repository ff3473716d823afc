"""Values about one run of an agent."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from parallel_workers.spec import PromptDelivery


class AgentCommand(NamedTuple):
    """A program to run in a worktree. `environment` is complete: nothing is inherited.

    `tag` is set in the environment as PARALLEL_WORKERS_RUN, so that every descendant can be found.
    `log_file` receives all output up to a size limit; times are seconds.
    """

    argv: tuple[str, ...]
    worktree: Path
    environment: Mapping[str, str]
    prompt: str
    prompt_file: Path
    delivery: PromptDelivery
    tag: str
    log_file: Path
    timeout: float
    stall_timeout: float


class AgentEnd(StrEnum):
    """Why an agent run ended; said by our own record, never guessed from the exit code."""

    EXITED = "exited"
    TIMED_OUT = "timed_out"
    STALLED = "stalled"
    CANCELLED = "cancelled"


class AgentResult(NamedTuple):
    """How an agent run went. Times in seconds, memory in bytes; `leftovers` counts processes we had to end.

    `last_lines` are the last lines of output, for messages; `verdict` is the text after
    `PARALLEL_WORKERS_RESULT: no-change-needed` when the agent said so on a line of its own, else None.
    """

    end: AgentEnd
    exit_code: int
    duration_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    output_lines: int
    leftovers: int
    last_lines: tuple[str, ...]
    no_change_reason: str | None = None
