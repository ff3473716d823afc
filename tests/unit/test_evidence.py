"""Evidence of work: an agent that ended well and committed, one change per test."""

from __future__ import annotations

import pytest

from parallel_workers.agent_runs import AgentEnd, AgentResult
from parallel_workers.decisions.evidence import Done, Evidence, Failed, NoChangeNeeded, judge_evidence
from parallel_workers.worktrees import BranchWork, Commit

COMMITS = (Commit("a" * 40, "feat: one"), Commit("b" * 40, "feat: two"))
WORK = BranchWork("b" * 40, COMMITS, 2, 3, 1, " 2 files changed")
NO_WORK = BranchWork("0" * 40, (), 0, 0, 0, "")


def judge(
    *,
    end: AgentEnd = AgentEnd.EXITED,
    code: int = 0,
    said: str | None = None,
    work: BranchWork = WORK,
    clean: bool = True,
    lines: tuple[str, ...] = ("so it ended",),
) -> Evidence:
    return judge_evidence(AgentResult(end, code, 12.0, 1.0, 1, 1, 0, lines, said), work, clean=clean)


def test_commits_are_evidence() -> None:
    assert judge() == Done(COMMITS)


def test_commits_count_even_when_the_agent_says_no_change_was_needed() -> None:
    assert judge(said="nothing to do") == Done(COMMITS)


def test_commits_count_even_when_something_is_left_uncommitted() -> None:
    assert judge(clean=False) == Done(COMMITS)


def test_no_change_needed_is_a_result() -> None:
    assert judge(work=NO_WORK, said=" it is there already ") == NoChangeNeeded("it is there already")
    assert judge(work=NO_WORK, said="") == NoChangeNeeded("the agent gave no reason")


def test_an_exit_code_of_zero_alone_is_no_evidence() -> None:
    verdict = judge(work=NO_WORK)
    assert isinstance(verdict, Failed)
    assert verdict.reason.startswith("agent ended 0 but left no commit and no change;")
    assert "PARALLEL_WORKERS_RESULT: no-change-needed" in verdict.reason


def test_changes_that_could_not_be_committed_are_no_evidence_and_not_forgotten() -> None:
    for said in (None, "nothing to do"):
        verdict = judge(work=NO_WORK, clean=False, said=said)
        assert verdict == Failed("changes are left in the worktree that were not committed\n  so it ended")


@pytest.mark.parametrize(("code", "shown"), [(1, "1"), (127, "127"), (-9, "by SIGKILL"), (-200, "by signal 200")])
def test_an_exit_code_other_than_zero_fails_whatever_else_there_is(code: int, shown: str) -> None:
    for work, said in ((WORK, None), (NO_WORK, "nothing to do")):
        assert judge(code=code, work=work, said=said) == Failed(f"agent ended {shown}\n  so it ended")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (AgentEnd.TIMED_OUT, "agent timed out after 12 s"),
        (AgentEnd.STALLED, "agent stalled: no output for too long; ended after 12 s"),
        (AgentEnd.CANCELLED, "agent was cancelled"),
    ],
)
def test_an_agent_we_ended_failed_whatever_its_exit_code(end: AgentEnd, reason: str) -> None:
    for code in (0, -15):
        assert judge(end=end, code=code) == Failed(f"{reason}\n  so it ended")


def test_only_the_last_lines_are_shown() -> None:
    verdict = judge(code=1, lines=(*(f"line {number}" for number in range(40)), "", "  "))
    assert isinstance(verdict, Failed)
    assert verdict.reason.splitlines()[1:] == [f"  line {number}" for number in range(30, 40)]
    assert judge(code=1, lines=()) == Failed("agent ended 1")
