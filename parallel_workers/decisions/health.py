"""What the facts that `doctor` gathered mean: every check in order, and which of them may be mended without asking."""

from __future__ import annotations

from collections.abc import Callable

from parallel_workers.decisions.health_of_host import (
    check_agents,
    check_database,
    check_disk,
    check_git,
    check_policy,
    check_server,
    check_worktree_root,
)
from parallel_workers.decisions.health_of_repository import (
    check_branches,
    check_folders,
    check_locks,
    check_repository,
    check_worktrees,
    is_forgettable,
    is_stale,
)
from parallel_workers.decisions.health_of_workers import (
    check_processes,
    check_state,
    check_workers,
    is_stranded,
)
from parallel_workers.health import (
    EndAgents,
    EndBatch,
    Finding,
    ForgetWorktree,
    HealthFacts,
    Mend,
    PutBack,
    RemoveLock,
    Severity,
)

Check = Callable[[HealthFacts], tuple[Finding, ...]]

CHECKS: tuple[Check, ...] = (
    check_git,
    check_agents,
    check_server,
    check_database,
    check_policy,
    check_worktree_root,
    check_disk,
    check_repository,
    check_locks,
    check_folders,
    check_worktrees,
    check_branches,
    check_processes,
    check_workers,
    check_state,
)
"""From the ground up: a later finding is often the consequence of an earlier one.

Folders come before worktrees: one that was moved can be repaired only until the records of those gone are pruned."""


def judge_health(facts: HealthFacts) -> tuple[Finding, ...]:
    """What every check says; most say something when all is well, too."""
    return tuple(finding for check in CHECKS for finding in check(facts))


def is_healthy(findings: tuple[Finding, ...]) -> bool:
    """Whether no finding is a problem."""
    return all(finding.severity is not Severity.PROBLEM for finding in findings)


def decide_mends(facts: HealthFacts) -> tuple[Mend, ...]:
    """What may be done without asking because nothing can be lost by it; agents first, for they hold the rest."""
    agents = [EndAgents(each.worker) for each in facts.agent_processes if not each.engine_alive]
    runs = [PutBack(run.worker, run.run_id) for run in facts.runs or () if is_stranded(run)]
    batches = [EndBatch(batch.name, batch.run_id) for batch in facts.dead_batches]
    if facts.repository is None:
        return (*agents, *runs, *batches)
    locks = [RemoveLock(lock.path) for lock in facts.repository.locks if is_stale(lock)]
    gone = [ForgetWorktree(one.path) for one in facts.repository.worktrees if is_forgettable(one, facts.strays)]
    return (*agents, *runs, *batches, *locks, *gone)
