"""What an agent run came to: the exit code alone proves nothing, commits do."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import NamedTuple

from parallel_workers.agent_runs import AgentEnd, AgentResult
from parallel_workers.worktrees import BranchWork, Commit

_SHOWN_LINES = 10


class Done(NamedTuple):
    """The branch holds commits its base does not have, oldest first."""

    commits: tuple[Commit, ...]


class NoChangeNeeded(NamedTuple):
    """The agent said that nothing has to be done, and did nothing; `reason` is in its words."""

    reason: str


class Failed(NamedTuple):
    """No proof of work; `reason` says what happened, with the agent's last lines."""

    reason: str


Evidence = Done | NoChangeNeeded | Failed


class _Facts(NamedTuple):
    result: AgentResult
    work: BranchWork
    clean: bool


_Rule = Callable[[_Facts], Evidence | None]


def judge_evidence(result: AgentResult, work: BranchWork, *, clean: bool) -> Evidence:
    """Whether the task was carried out. `work` is the branch against its base, `clean` the worktree after phase-commit.

    Rules in order, the first that answers wins: the agent was ended by us; it ended non-zero; commits are there;
    changes are left that could not be committed; it said that no change is needed; otherwise nothing was done.
    """
    facts = _Facts(result, work, clean)
    for rule in _RULES:
        evidence = rule(facts)
        if evidence is not None:
            return evidence
    return Failed(
        "agent ended 0 but left no commit and no change; when none is needed it must say so: "
        "PARALLEL_WORKERS_RESULT: no-change-needed" + _last_lines(result)
    )


def _ended_by_us(facts: _Facts) -> Evidence | None:
    seconds = facts.result.duration_seconds
    how = {
        AgentEnd.TIMED_OUT: f"agent timed out after {seconds:.0f} s",
        AgentEnd.STALLED: f"agent stalled: no output for too long; ended after {seconds:.0f} s",
        AgentEnd.CANCELLED: "agent was cancelled",
    }.get(facts.result.end)
    return None if how is None else Failed(how + _last_lines(facts.result))


def _ended_non_zero(facts: _Facts) -> Evidence | None:
    if facts.result.exit_code == 0:
        return None
    return Failed(f"agent ended {_name_exit(facts.result.exit_code)}{_last_lines(facts.result)}")


def _left_commits(facts: _Facts) -> Evidence | None:
    return Done(facts.work.commits) if facts.work.commits else None


def _left_changes(facts: _Facts) -> Evidence | None:
    if facts.clean:
        return None
    return Failed("changes are left in the worktree that were not committed" + _last_lines(facts.result))


def _said_no_change(facts: _Facts) -> Evidence | None:
    if facts.result.no_change_reason is None:
        return None
    return NoChangeNeeded(facts.result.no_change_reason.strip() or "the agent gave no reason")


_RULES: tuple[_Rule, ...] = (_ended_by_us, _ended_non_zero, _left_commits, _left_changes, _said_no_change)


def _name_exit(code: int) -> str:
    """`3`, or for an end by signal (negative, as subprocess tells it) `by SIGKILL`."""
    if code >= 0:
        return str(code)
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"


def _last_lines(result: AgentResult) -> str:
    lines = [line for line in result.last_lines if line.strip()][-_SHOWN_LINES:]
    return "".join(f"\n  {line}" for line in lines)
