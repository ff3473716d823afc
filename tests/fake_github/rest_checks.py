"""The two ways of CI: check runs and commit statuses; and the logs of jobs."""

from __future__ import annotations

import re

from tests.fake_github.calls import Answer, ApiError, Call, Router, not_found
from tests.fake_github.ci import ACTIONS
from tests.fake_github.logs import log_link
from tests.fake_github.pages import PAGING, page_of
from tests.fake_github.render_repository import repository_json
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import CheckRun, Json

router = Router()
_SHA = re.compile("[0-9a-f]{40}")


def _sha(state: RepositoryState, ref: str) -> str:
    """A commit by sha or branch. Raises ApiError 422 as GitHub does for a commit that is not there."""
    sha = state.branches.get(ref.removeprefix("heads/"), ref)
    known = sha in state.branches.values() or any(sha == pull.head_sha for pull in state.pulls.values())
    if not known and not (_SHA.fullmatch(sha) and state.git.has(sha)):
        raise ApiError(422, f"No commit found for SHA: {ref}")
    return sha


def details_url(url: str, state: RepositoryState, run: CheckRun) -> str:
    """The page of a job, whose last part is the id that its log is found by; or the page of another app."""
    if run.report.app != ACTIONS:
        return f"https://ci.example.invalid/builds/{run.id}"
    return f"{url}/{state.full_name}/actions/runs/{run.id + 1}/job/{run.id}"


def _check_json(call: Call, run: CheckRun) -> Json:
    state = call.repository
    api = f"{call.server.api_url}/repos/{state.full_name}/check-runs/{run.id}"
    return {
        "id": run.id,
        "node_id": f"CR_{run.id:08d}",
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": "",
        "url": api,
        "html_url": details_url(call.server.url, state, run),
        "details_url": details_url(call.server.url, state, run),
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "output": {
            "title": run.report.summary.partition("\n")[0] or None,
            "summary": run.report.summary or None,
            "text": run.report.text or None,
            "annotations_count": len(run.report.annotations),
            "annotations_url": f"{api}/annotations",
        },
        "check_suite": {"id": run.id + 2},
        "app": None,
        "pull_requests": [],
    }


@router.add(
    "GET /repos/{owner}/{repo}/commits/{ref*}/check-runs",
    answers="ReposOwnerRepoCommitsRefCheckRunsGetResponse200",
    query=("check_name", "status", "filter", "app_id", *PAGING),
)
def list_check_runs(call: Call) -> Answer:
    """The newest of each name, unless `filter=all`."""
    state = call.repository
    sha = _sha(state, call.path["ref"])
    found = state.check_runs.get(sha, []) if call.query.get("filter") == "all" else state.checks_of(sha)
    for name, attribute in (("check_name", "name"), ("status", "status")):
        if name in call.query:
            found = [run for run in found if getattr(run, attribute) == call.query[name]]
    page, headers = page_of(call, found)
    return Answer({"total_count": len(found), "check_runs": [_check_json(call, run) for run in page]}, headers=headers)


@router.add("GET /repos/{owner}/{repo}/commits/{ref*}/status", answers="CombinedCommitStatus", query=PAGING)
def get_combined_status(call: Call) -> Answer:
    """Without any status it is pending for ever, with a count of 0."""
    state = call.repository
    sha = _sha(state, call.path["ref"])
    found = state.statuses_of(sha)
    states = {status.state for status in found}
    word = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    api = f"{call.server.api_url}/repos/{state.full_name}"
    page, headers = page_of(call, found)
    statuses = [
        {
            "url": f"{api}/statuses/{sha}",
            "avatar_url": f"{call.server.url}/avatars/{status.creator.id}",
            "id": status.id,
            "node_id": f"SC_{status.id:08d}",
            "state": status.state,
            "description": status.description,
            "target_url": None,
            "context": status.context,
            "created_at": status.created_at,
            "updated_at": status.created_at,
        }
        for status in page
    ]
    repository = repository_json(call.server.url, state)
    links = {"commit_url": f"{api}/commits/{sha}", "url": f"{api}/commits/{sha}/status"}
    body = {"state": word, "statuses": statuses, "sha": sha, "total_count": len(found), "repository": repository}
    return Answer(body | links, headers=headers)


def _run(call: Call) -> CheckRun:
    number = call.path["run"]
    every = (run for runs in call.repository.check_runs.values() for run in runs)
    found = next((run for run in every if str(run.id) == number), None)
    if found is None:
        raise not_found()
    return found


@router.add("GET /repos/{owner}/{repo}/check-runs/{run}", answers="CheckRun")
def get_check_run(call: Call) -> Answer:
    """One check run."""
    return Answer(_check_json(call, _run(call)))


@router.add("GET /repos/{owner}/{repo}/check-runs/{run}/annotations", answers="list[CheckAnnotation]", query=PAGING)
def list_annotations(call: Call) -> Answer:
    """What the check says of lines, 30 a page unless asked."""
    page, headers = page_of(call, _run(call).report.annotations)
    found = [
        {
            "path": one.path,
            "start_line": one.line,
            "end_line": one.line,
            "start_column": None,
            "end_column": None,
            "annotation_level": "failure",
            "title": None,
            "message": one.message,
            "raw_details": None,
            "blob_href": f"{call.server.url}/{call.repository.full_name}/blob/{one.path}",
        }
        for one in page
    ]
    return Answer(found, headers=headers)


@router.add("GET /repos/{owner}/{repo}/actions/jobs/{run}/logs", answers=None)
def get_job_log(call: Call) -> Answer:
    """302 to where the log is, which takes no credential. 404 for a check without a log."""
    run = _run(call)
    if call.account and not call.caller.may(call.repository, "write"):
        raise ApiError(403, "Must have admin rights to Repository.")
    if not run.report.log or run.report.app != ACTIONS:
        raise not_found()
    return Answer(None, 302, {"Location": log_link(call.server, run)})
