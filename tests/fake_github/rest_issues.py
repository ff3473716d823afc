"""The issue side of a pull request: labels, milestone, assignees."""

from __future__ import annotations

from tests.fake_github.calls import Answer, Call, Router, invalid
from tests.fake_github.labelling import label_names, put_labels
from tests.fake_github.pushes import close
from tests.fake_github.render_pulls import PullRenderer
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Json, Pull

router = Router()
_SHARED = (
    "id",
    "number",
    "state",
    "title",
    "body",
    "user",
    "labels",
    "milestone",
    "assignee",
    "assignees",
    "locked",
    "active_lock_reason",
    "created_at",
    "updated_at",
    "closed_at",
    "author_association",
    "draft",
    "comments_url",
    "html_url",
    "node_id",
)


def _issue_json(call: Call, pull: Pull) -> Json:
    listed = PullRenderer(call.server.url, call.repository).listed(pull)
    api = listed["issue_url"]
    return {name: listed[name] for name in _SHARED} | {
        "url": api,
        "repository_url": f"{call.server.api_url}/repos/{call.repository.full_name}",
        "labels_url": f"{api}/labels{{/name}}",
        "events_url": f"{api}/events",
        "comments": len(pull.comments),
        "pull_request": {name: listed[name] for name in ("url", "html_url", "diff_url", "patch_url", "merged_at")},
    }


@router.add("GET /repos/{owner}/{repo}/issues/{number}", answers="Issue")
def get_issue(call: Call) -> Answer:
    """A pull request as an issue."""
    return Answer(_issue_json(call, call.pull))


@router.add(
    "PATCH /repos/{owner}/{repo}/issues/{number}",
    answers="Issue",
    takes="ReposOwnerRepoIssuesIssueNumberPatchBody",
)
def change_issue(call: Call) -> Answer:
    """Labels, milestone and assignees in one request."""
    state, pull, fields = call.writable("pull_requests"), call.pull, call.fields
    if "milestone" in fields:
        _put_milestone(state, pull, fields["milestone"])
    if "labels" in fields:
        put_labels(state, pull, label_names(fields["labels"]))
    if "assignees" in fields:
        _put_assignees(call, state, pull, fields["assignees"])
    pull.title, pull.body = fields.get("title", pull.title), fields.get("body", pull.body)
    if fields.get("state") == "closed" and pull.state == "open":
        close(state, pull)
    state.touch(pull)
    return Answer(_issue_json(call, pull))


@router.add(
    "POST /repos/{owner}/{repo}/issues/{number}/assignees",
    answers="Issue",
    takes="ReposOwnerRepoIssuesIssueNumberAssigneesPostBody",
)
def add_assignees(call: Call) -> Answer:
    """Beside those who are assigned already."""
    state, pull = call.writable("pull_requests"), call.pull
    _put_assignees(call, state, pull, [*(one.login for one in pull.assignees), *call.fields.get("assignees", [])])
    state.touch(pull)
    return Answer(_issue_json(call, pull), 201)


def _put_milestone(state: RepositoryState, pull: Pull, number: int | str | None) -> None:
    wanted = None if number is None else int(number)
    if wanted is not None and wanted not in state.milestones:
        raise invalid("Issue", "milestone", value=number)
    pull.milestone = wanted


def _put_assignees(call: Call, state: RepositoryState, pull: Pull, names: list[str]) -> None:
    """Who cannot be assigned is left out without a word."""
    known = {login.lower(): login for login in state.permissions}
    assigned = dict.fromkeys(known[name.lower()] for name in names if name.lower() in known)
    pull.assignees = [call.server.account(login) for login in assigned]
