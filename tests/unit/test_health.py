"""What each fact means to `doctor`: one thing is changed at a time, and nothing else may be found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from parallel_workers.decisions.health import CHECKS, decide_mends, is_healthy, judge_health
from parallel_workers.health import (
    AgentProcesses,
    AgentProgram,
    BrokenRun,
    DatabaseFacts,
    DeadBatch,
    EndAgents,
    EndBatch,
    Finding,
    ForgetWorktree,
    HealthFacts,
    Mend,
    OwnedBranch,
    PolicyFacts,
    PutBack,
    RemoveLock,
    Severity,
    StrayFolder,
)
from parallel_workers.lifecycle import WorkerState
from tests.unit.healthy import (
    DATA,
    GIGA,
    HEALTHY,
    LOCK,
    RUN,
    WORKTREE,
    with_lock,
    with_repository,
    with_root,
    with_run,
    with_server,
    with_worktree,
)

OK, WARNING, PROBLEM = Severity.OK, Severity.WARNING, Severity.PROBLEM
ORPHAN = HEALTHY._replace(agent_processes=(AgentProcesses("worker-9", (7, 8), engine_alive=False),))


class Case(NamedTuple):
    """Facts, and the one finding that is not ok. `mend` is a part of the command; `does` what `--fix` may do."""

    facts: HealthFacts
    check: str
    severity: Severity
    what: str
    mend: str
    does: Mend | None = None


CASES = {
    "no git": Case(HEALTHY._replace(git_version=""), "git", PROBLEM, "no git", "install git"),
    "old git": Case(HEALTHY._replace(git_too_old=True), "git", PROBLEM, "too old; 2.39", "install git"),
    "agent without its program": Case(
        HEALTHY._replace(agents=(AgentProgram("a", "x", "/b.yml", "x is not in PATH"),)),
        "agents", PROBLEM, "a: x is not in PATH", "/b.yml",
    ),
    "server configured and away": Case(
        with_server(configured=True, trouble="refused"), "server", PROBLEM, "does not answer: refused", "unset PREFECT"
    ),
    "embedded server hangs": Case(with_server(trouble="silent"), "server", PROBLEM, "silent", "down --force"),
    "server of another version": Case(
        with_server(version="3.7.1"), "server", WARNING, "3.7.1, this machine has 3.8.8", "parallel-workers down"
    ),
    "damaged database": Case(
        HEALTHY._replace(database=DatabaseFacts(Path("/d/s/prefect.db"), 9, "malformed")),
        "database", PROBLEM, "malformed", "mv /d/s /d/s.damaged",
    ),
    "large database": Case(
        HEALTHY._replace(database=DatabaseFacts(Path("/d/s/prefect.db"), 3 * GIGA)), "database", WARNING, "3.0 GB",
        "VACUUM",
    ),
    "unreadable block": Case(
        HEALTHY._replace(policy=PolicyFacts("mine", asked=True, trouble="no block 'mine'")),
        "policy block", PROBLEM, "no block 'mine'", "save(",
    ),
    "root in a clone": Case(
        with_root(clone=Path("/home/me")), "worktree root", PROBLEM, "repository /home/me", "WORKTREE_ROOT="
    ),
    "root read-only": Case(with_root(writable=False), "worktree root", PROBLEM, "written", "mkdir -p /trees"),
    "little room": Case(with_root(free=GIGA // 2), "disk", WARNING, "512 MB of 10.0 GB", "parallel-workers cleanup"),
    "no room": Case(with_root(free=5000), "disk", PROBLEM, "5 KB of 10.0 GB free", "parallel-workers cleanup"),
    "data folder read-only": Case(
        HEALTHY._replace(places=(DATA._replace(writable=False),)), "disk", PROBLEM, "/data cannot", "chmod -R"
    ),
    "repository that cannot be used": Case(
        HEALTHY._replace(repository=None, repository_trouble="several remotes"),
        "repository", PROBLEM, "several", "doctor --repository",
    ),
    "repository that one command mends": Case(
        HEALTHY._replace(repository=None, repository_trouble="refs", repository_mend="git refs migrate"),
        "repository", PROBLEM, "refs", "git refs migrate",
    ),
    "agent without a command": Case(
        HEALTHY._replace(agents=(AgentProgram("a", "", "/b.yml", "names no command"),)),
        "agents", PROBLEM, "a: names no command", "/b.yml",
    ),
    "agent command that cannot be split": Case(
        HEALTHY._replace(agents=(AgentProgram("a", "", "/b.yml", "cannot be split", "unset AGENT"),)),
        "agents", PROBLEM, "a: cannot", "unset AGENT",
    ),
    "stale lock": Case(with_lock(), "locks", PROBLEM, "1 h 6 min", "rm /repo/.git/index.lock", RemoveLock(LOCK.path)),
    "old lock on a shared drive": Case(with_lock(shared=True), "locks", WARNING, "no other machine", "rm /repo"),
    "our lock held without an engine": Case(
        with_repository(lock_held_by=("git (process 3)",))._replace(live_workers=()),
        "locks", WARNING, "git (process 3)", "fuser -v /repo/.git/parallel-workers.lock",
    ),
    "worktree's folder gone": Case(
        with_worktree(exists=False), "worktrees", WARNING, "is gone", "worktree prune --repository /repo",
        ForgetWorktree(WORKTREE.path),
    ),
    "half-made worktree's folder gone": Case(
        with_worktree(exists=False, half_made=True, lock_reason="initializing"), "worktrees", WARNING, "is gone",
        "worktree prune", ForgetWorktree(WORKTREE.path),
    ),
    "gone, but locked": Case(
        with_worktree(exists=False, lock_reason="on a stick"), "worktrees", WARNING, "on a stick", "worktree unlock"
    ),
    "gone with all around it": Case(
        with_worktree(exists=False, parent_exists=False), "worktrees", WARNING, "may come back", "worktree prune"
    ),
    "gone, and on no branch": Case(
        with_worktree(exists=False, branch=None), "worktrees", WARNING, "is on no branch", "worktree prune"
    ),
    "half-made worktree": Case(
        with_worktree(half_made=True, lock_reason="initializing"), "worktrees", WARNING, "never finished",
        "worktree remove p t-1 --root /trees --repository /repo",
    ),
    "worktree of an unknown worker": Case(
        with_worktree(worker="worker-2"), "worktrees", WARNING, "worker-2, which this server does not know",
        "worktree remove p t-1",
    ),
    "worktree of a merged worker": Case(
        with_run(state=WorkerState.MERGED, prefect_type="COMPLETED", engine_alive=False), "worktrees", WARNING,
        "which is merged", "parallel-workers cleanup",
    ),
    "folder that is no worktree": Case(
        HEALTHY._replace(strays=(StrayFolder(Path("/trees/p/x")),)), "folders", WARNING, "/trees/p/x is no worktree",
        "mv /trees/p/x /trees/p/x.old",
    ),
    "worktree that was moved": Case(
        with_worktree(path=Path("/trees/p/y"), exists=False)._replace(
            strays=(StrayFolder(Path("/trees/p/x"), Path("/repo"), Path("/trees/p/y")),)
        ),
        "folders", WARNING, "was moved", "git -C /repo worktree repair /trees/p/x",
    ),
    "half removed worktree of another repository": Case(
        HEALTHY._replace(strays=(StrayFolder(Path("/trees/p/.x"), removed_from=Path("/trees/p/x")),)),
        "folders", WARNING, "what is left of /trees/p/x", "ls -lAR /trees/p/.x",
    ),
    "branch that we pushed and nobody has": Case(
        with_repository(branches=(OwnedBranch("feature/x", (), pushed=True),)), "branches", WARNING, "feature/x",
        "git -C /repo branch --delete feature/x",
    ),
    "mark of an unknown worker": Case(
        with_repository(marks=("worker-1", "worker-3")), "branches", WARNING, "worker-3 has a mark",
        "update-ref -d refs/parallel-workers/workers/worker-3",
    ),
    "orphan agent": Case(ORPHAN, "processes", PROBLEM, "processes 7, 8", "doctor --fix", EndAgents("worker-9")),
    "engine died": Case(
        with_run(engine_alive=False), "workers", PROBLEM, "counts as WORKING since 1 h 6 min",
        "parallel-workers state set worker-1 UNKNOWN", PutBack("worker-1", "run-1"),
    ),
    "engine died before it began": Case(
        with_run(engine_alive=False, state=WorkerState.UNKNOWN, prefect_type="PENDING", prefect_state="Pending"),
        "workers", PROBLEM, "counts as Pending", "state set", PutBack("worker-1", "run-1"),
    ),
    "engine of another machine, perhaps": Case(
        with_run(engine_alive=False, here=False), "workers", WARNING, "another machine may", "state set"
    ),
    "deployed run without a heartbeat": Case(
        with_run(engine_alive=False, deployed=True, here=False, heard_seconds=200.0), "workers", PROBLEM,
        "without a heartbeat", "state set", PutBack("worker-1", "run-1"),
    ),
    "taken and never begun": Case(
        with_run(engine_alive=False, deployed=True, here=False, prefect_type="PENDING", changed_seconds=181.0),
        "workers", PROBLEM, "3 min 1 s", "state set", PutBack("worker-1", "run-1"),
    ),
    "suspended and not resumed": Case(
        with_run(engine_alive=False, deployed=True, prefect_type="PAUSED", suspended_by_automation=True),
        "workers", PROBLEM, "nothing has resumed it", "state set", PutBack("worker-1", "run-1"),
    ),
    "to be cancelled by nobody": Case(
        with_run(engine_alive=False, prefect_type="CANCELLING"), "workers", PROBLEM, "to be cancelled",
        "parallel-workers terminate worker-1",
    ),
    "batch whose engine died": Case(
        HEALTHY._replace(dead_batches=(DeadBatch("batch b", "run-2", "Running", 65.0),)), "workers", PROBLEM,
        "batch b counts as Running since 1 min 5 s", "doctor --fix", EndBatch("batch b", "run-2"),
    ),
    "silent agent": Case(
        with_run(quiet_seconds=1800.0), "workers", WARNING, "nothing for 30 min", "terminate worker-1"
    ),
    "unreadable state": Case(
        HEALTHY._replace(broken=(BrokenRun("r", "worker-1", "no labels", ended=False),)), "state", PROBLEM,
        "worker-1: no labels", "parallel-workers state remove worker-1",
    ),
    "unreadable state of one that has ended": Case(
        HEALTHY._replace(broken=(BrokenRun("r", "worker-1", "no labels", ended=True),)), "state", WARNING,
        "has ended", "parallel-workers state remove worker-1",
    ),
    "state of nobody": Case(
        HEALTHY._replace(broken=(BrokenRun("r", "", "no labels", ended=False),)), "state", PROBLEM, "flow run r",
        "prefect --no-prompt flow-run delete r",
    ),
}  # fmt: skip


def not_ok(facts: HealthFacts) -> list[Finding]:
    return [finding for finding in judge_health(facts) if finding.severity is not OK]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_fact_is_found_with_what_mends_it_and_nothing_else_is(case: Case) -> None:
    (found,) = not_ok(case.facts)
    assert (found.check, found.severity) == (case.check, case.severity)
    assert case.what in found.what
    assert case.mend in found.mend
    assert found.fixable == (case.does is not None)
    assert decide_mends(case.facts) == ((case.does,) if case.does else ())
    assert is_healthy(judge_health(case.facts)) == (case.severity is not PROBLEM)


def test_every_check_says_something_when_all_is_well() -> None:
    assert not_ok(HEALTHY) == []
    assert all(check(HEALTHY) for check in CHECKS)
    assert decide_mends(HEALTHY) == ()


@pytest.mark.parametrize(
    "facts",
    [
        HEALTHY._replace(agents=(AgentProgram("a", "sh", "/b.yml"),)),
        HEALTHY._replace(server=HEALTHY.server._replace(api_url="", version=""), runs=None, database=None),
        HEALTHY._replace(repository=None, repository_trouble="/x is not in a git repository"),
        with_lock(age_seconds=599.0),
        with_lock(held_by=("git commit (process 3)",)),
        with_repository(lock_held_by=("git (process 3)",)),
        with_worktree(worker="worker-2")._replace(runs=None),
        with_worktree(worker="worker-2", by_hand=True),
        with_repository(branches=(OwnedBranch("feature/t-1", ("worker-1",), pushed=True),)),
        with_repository(branches=(OwnedBranch("feature/theirs", ("worker-1",), pushed=False),)),
        ORPHAN._replace(agent_processes=(AgentProcesses("worker-1", (7,), engine_alive=True),)),
        with_run(engine_alive=False, state=WorkerState.PR_OPEN),
        with_run(engine_alive=False, prefect_type="PAUSED", state=WorkerState.PR_OPEN),
        with_run(engine_alive=False, deployed=True, here=False, heard_seconds=20.0),
        with_run(engine_alive=False, deployed=True, here=False, prefect_type="PENDING", changed_seconds=20.0),
        with_run(engine_alive=False, deployed=True, here=False, changed_seconds=20.0),
        with_run(engine_alive=False, state=WorkerState.UNKNOWN, prefect_type="FAILED"),
        with_run(state=WorkerState.PR_OPEN, quiet_seconds=99999.0),
    ],
)
def test_what_is_as_it_should_be_is_no_finding_and_is_not_touched(facts: HealthFacts) -> None:
    assert not_ok(facts) == []
    assert decide_mends(facts) == ()


def test_the_page_tells_of_every_check() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    agents = HEALTHY._replace(agents=(AgentProgram("a", "sh", "/b.yml"),))
    checks = dict.fromkeys(finding.check for finding in judge_health(agents))
    assert re.findall(r"^\| `([a-z ]+)` \|", page, re.MULTILINE) == list(checks)


def test_agents_are_ended_before_their_workers_are_put_back() -> None:
    facts = ORPHAN._replace(runs=(RUN._replace(engine_alive=False),), repository=with_lock().repository)
    assert [type(mend) for mend in decide_mends(facts)] == [EndAgents, PutBack, RemoveLock]
