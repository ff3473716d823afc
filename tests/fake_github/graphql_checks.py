"""`statusCheckRollup`: check runs and statuses of a commit, and whether a pull request needs them."""

from __future__ import annotations

from typing import Any

from tests.fake_github.checks import rollup
from tests.fake_github.graphql_errors import TypedError
from tests.fake_github.graphql_nodes import Resolver, actor_node, connection
from tests.fake_github.rest_checks import details_url
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import CheckRun, Json, Protection, Status


def _requirement(state: RepositoryState, name: str) -> Resolver:
    def resolve(_info: object, **arguments: Any) -> bool:
        number, node_id = arguments.get("pullRequestNumber"), arguments.get("pullRequestId")
        if number is None and node_id is None:
            raise TypedError("UNPROCESSABLE", "Either pullRequestId or pullRequestNumber must be provided.")
        every = state.pulls.values()
        pull = next((one for one in every if one.number == number or one.node_id == node_id), None)
        if pull is None:
            raise TypedError("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {number}.")
        return name in state.protections.get(pull.base_branch, Protection()).required_checks

    return resolve


def _run_node(url: str, state: RepositoryState, run: CheckRun) -> Json:
    suite = {
        "id": f"CS_{run.id:08d}",
        "databaseId": run.id + 2,
        "app": {"id": f"A_{run.report.app}", "databaseId": 15368, "name": run.report.app, "slug": run.report.app},
    }
    workflow = {"id": f"W_{run.report.workflow}", "databaseId": 1, "name": run.report.workflow}
    if run.report.workflow:
        started = {"id": f"WFR_{run.id:08d}", "databaseId": run.id + 3, "event": "pull_request", "workflow": workflow}
        suite["workflowRun"] = started
    link = details_url(url, state, run)
    return {
        "__typename": "CheckRun",
        "id": f"CR_{run.id:08d}",
        "databaseId": run.id,
        "name": run.name,
        "status": run.status.upper(),
        "conclusion": run.conclusion.upper() if run.conclusion else None,
        "detailsUrl": link,
        "permalink": link,
        "url": link,
        "externalId": "",
        "startedAt": run.started_at,
        "completedAt": run.completed_at,
        "title": run.report.summary.partition("\n")[0] or None,
        "summary": run.report.summary or None,
        "text": run.report.text or None,
        "checkSuite": suite,
        "isRequired": _requirement(state, run.name),
    }


def _status_node(url: str, state: RepositoryState, status: Status) -> Json:
    return {
        "__typename": "StatusContext",
        "id": f"SC_{status.id:08d}",
        "context": status.context,
        "state": status.state.upper(),
        "targetUrl": None,
        "description": status.description,
        "createdAt": status.created_at,
        "creator": actor_node(url, status.creator),
        "isRequired": _requirement(state, status.context),
    }


def rollup_node(url: str, state: RepositoryState, sha: str) -> Json | None:
    """None when no check or status was ever reported for the commit."""
    word = rollup(state, sha)
    if word is None:
        return None
    runs, statuses = state.checks_of(sha), state.statuses_of(sha)

    def write(one: CheckRun | Status) -> Json:
        return _run_node(url, state, one) if isinstance(one, CheckRun) else _status_node(url, state, one)

    def contexts(_info: object, **arguments: Any) -> Json:
        counts = {"checkRunCount": len(runs), "statusContextCount": len(statuses)}
        every: list[CheckRun | Status] = [*runs, *statuses]
        return connection(every, write, arguments) | counts

    commit = {"__typename": "Commit", "id": f"C_{sha}", "oid": sha}
    return {"id": f"SCR_{sha}", "state": word, "contexts": contexts, "commit": commit}
