"""Check runs and statuses of commits, and what they say together."""

from __future__ import annotations

from tests.fake_github.ci import CheckReport, PushedHead
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Account, CheckRun, Pull, Status

GREEN = frozenset({"success", "neutral", "skipped"})
CONCLUSIONS = GREEN | {"failure", "cancelled", "timed_out", "action_required", "stale", "startup_failure"}


def report_check(state: RepositoryState, sha: str, report: CheckReport, status: str = "completed") -> CheckRun:
    """A check run says something; one that was in progress is concluded, else a new run is made."""
    stamp = state.world.clock.stamp()
    runs = state.check_runs.setdefault(sha, [])
    running = next((run for run in runs if _is_same(run, report) and run.status != "completed"), None)
    if running is None:
        unsaid = CheckReport(report.name, app=report.app, workflow=report.workflow)
        running = CheckRun(next(state.world.ids), report.name, sha, status, None, stamp, report=unsaid)
        runs.append(running)
    running.status = status
    if status == "completed":
        running.conclusion, running.completed_at = report.conclusion, stamp
        running.report = report
    return running


def _is_same(run: CheckRun, report: CheckReport) -> bool:
    return (run.name, run.report.app, run.report.workflow) == (report.name, report.app, report.workflow)


def report_status(state: RepositoryState, sha: str, context: str, said: str, creator: Account) -> Status:
    """A commit status: error, failure, pending or success."""
    status = Status(next(state.world.ids), context, said, creator, state.world.clock.stamp())
    state.statuses.setdefault(sha, []).append(status)
    return status


def start_ci(state: RepositoryState, pull: Pull) -> None:
    """CI begins on the head of a pull request."""
    head = PushedHead(pull.head_sha, pull.head_branch, state.git)
    for report in state.ci.start(head):
        report_check(state, pull.head_sha, report, status="in_progress")
    finish_ci(state)


def finish_ci(state: RepositoryState) -> None:
    """CI concludes what is due."""
    for sha, report in state.ci.take_due():
        report_check(state, sha, report)


def colours(state: RepositoryState, sha: str) -> dict[str, str]:
    """'green', 'red' or 'pending' for each check and status of a commit."""
    found = {_name_of(run): _colour(run) for run in state.checks_of(sha)}
    statuses = {"success": "green", "pending": "pending"}
    return found | {status.context: statuses.get(status.state, "red") for status in state.statuses_of(sha)}


def _name_of(run: CheckRun) -> str:
    return f"{run.report.workflow} / {run.name}" if run.report.workflow else run.name


def _colour(run: CheckRun) -> str:
    if run.status != "completed":
        return "pending"
    return "green" if run.conclusion in GREEN else "red"


def rollup(state: RepositoryState, sha: str) -> str | None:
    """State of GraphQL's `statusCheckRollup`; None when nothing was said of the commit."""
    seen = set(colours(state, sha).values())
    if not seen:
        return None
    if "red" in seen:
        return "FAILURE"
    return "PENDING" if "pending" in seen else "SUCCESS"
