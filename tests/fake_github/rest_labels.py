"""Labels, of the repository and of one pull request."""

from __future__ import annotations

from tests.fake_github.calls import Answer, ApiError, Call, Router, not_found
from tests.fake_github.labelling import label_names, make_label, put_labels
from tests.fake_github.pages import PAGING, page_of
from tests.fake_github.render_accounts import label_json
from tests.fake_github.values import Json, Label, Pull

router = Router()


def _api(call: Call) -> str:
    return f"{call.server.api_url}/repos/{call.repository.full_name}"


@router.add("GET /repos/{owner}/{repo}/labels", answers="list[Label]", query=PAGING)
def list_labels(call: Call) -> Answer:
    """All labels of the repository, by name."""
    labels = sorted(call.repository.labels.values(), key=lambda label: label.name.lower())
    page, headers = page_of(call, labels)
    return Answer([label_json(_api(call), label) for label in page], headers=headers)


@router.add("POST /repos/{owner}/{repo}/labels", answers="Label", takes="ReposOwnerRepoLabelsPostBody")
def create_label(call: Call) -> Answer:
    """A name once, whatever its case."""
    state, fields = call.writable("issues"), call.fields
    label = make_label(state, fields["name"], fields.get("color", "ededed").lower(), fields.get("description"))
    return Answer(label_json(_api(call), label), 201)


@router.add("GET /repos/{owner}/{repo}/labels/{name}", answers="Label")
def get_label(call: Call) -> Answer:
    """One label of the repository."""
    label = call.repository.labels.get(call.path["name"].lower())
    if label is None:
        raise not_found()
    return Answer(label_json(_api(call), label))


def _labels_of(call: Call, pull: Pull) -> list[Json]:
    labels: list[Label] = [call.repository.labels[key] for key in pull.label_keys]
    return [label_json(_api(call), label) for label in labels]


@router.add("GET /repos/{owner}/{repo}/issues/{number}/labels", answers="list[Label]", query=PAGING)
def list_labels_of_pull(call: Call) -> Answer:
    """Labels of one pull request."""
    page, headers = page_of(call, _labels_of(call, call.pull))
    return Answer(list(page), headers=headers)


@router.add(
    "POST /repos/{owner}/{repo}/issues/{number}/labels",
    answers="list[Label]",
    takes="ReposOwnerRepoIssuesIssueNumberLabelsPostBodyOneof0",
)
def add_labels(call: Call) -> Answer:
    """Takes a bare array as well as an object: PyGithub sends the array."""
    state, pull = call.writable("pull_requests"), call.pull
    wanted = call.body if isinstance(call.body, list) else call.fields.get("labels", [])
    had = [state.labels[key].name for key in pull.label_keys]
    put_labels(state, pull, [*had, *label_names(wanted)])
    return Answer(_labels_of(call, pull))


@router.add("DELETE /repos/{owner}/{repo}/issues/{number}/labels/{name}", answers="list[Label]")
def remove_label(call: Call) -> Answer:
    """404 when the pull request does not have it."""
    state, pull, key = call.writable("pull_requests"), call.pull, call.path["name"].lower()
    if key not in pull.label_keys:
        raise ApiError(404, "Label does not exist")
    put_labels(state, pull, [state.labels[one].name for one in pull.label_keys if one != key])
    return Answer(_labels_of(call, pull))
