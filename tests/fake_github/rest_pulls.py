"""Pull requests: list, create, read, change."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.fake_github.calls import Answer, ApiError, Call, Router, invalid
from tests.fake_github.checks import start_ci
from tests.fake_github.pages import PAGING, page_of
from tests.fake_github.pushes import close, keep_head
from tests.fake_github.render_pulls import PullRenderer
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Account, Json, Pull

router = Router()
TITLE_MAX, BODY_MAX = 256, 65_536


@router.add(
    "GET /repos/{owner}/{repo}/pulls",
    answers="list[PullRequestSimple]",
    query=("state", "head", "base", "sort", "direction", *PAGING),
)
def list_pulls(call: Call) -> Answer:
    """A `head` without `owner:` is ignored, as in life."""
    state, query = call.repository, call.query
    shown_until = state.world.clock.seconds() - state.list_lag_seconds
    found = [pull for pull in state.pulls.values() if pull.born_at <= shown_until]
    wanted = query.get("state", "open")
    if wanted not in {"open", "closed", "all"}:
        raise invalid("PullRequest", "state")
    if wanted != "all":
        found = [pull for pull in found if pull.state == wanted]
    owner, colon, branch = query.get("head", "").partition(":")
    if colon:
        is_ours = owner.lower() == state.owner.login.lower()
        found = [pull for pull in found if is_ours and pull.head_branch == branch]
    if "base" in query:
        found = [pull for pull in found if pull.base_branch == query["base"]]
    keys: dict[str, Callable[[Pull], tuple[str, int]]] = {
        "created": lambda pull: (pull.created_at, pull.number),
        "updated": lambda pull: (pull.updated_at, pull.number),
    }
    sort = query.get("sort", "created")
    direction = query.get("direction", "desc" if "sort" not in query or sort == "created" else "asc")
    found.sort(key=keys.get(sort, keys["created"]), reverse=direction == "desc")
    page, headers = page_of(call, found)
    renderer = PullRenderer(call.server.url, state)
    return Answer([renderer.listed(pull) for pull in page], headers=headers)


@router.add("POST /repos/{owner}/{repo}/pulls", answers="PullRequest", takes="ReposOwnerRepoPullsPostBody")
def create_pull(call: Call) -> Answer:
    """One open pull request for each pair of head and base."""
    state = call.writable("pull_requests")
    _check_texts(call.fields)
    head = _own_branch(state, call.fields.get("head", ""))
    _check_branches(state, head, call.fields["base"])
    if call.fields.get("draft") and not state.settings.allow_drafts:
        raise ApiError(422, "Draft pull requests are not supported in this repository.")
    pull = open_pull(state, call.account, head, call.fields)
    api = f"{call.server.api_url}/repos/{state.full_name}/pulls/{pull.number}"
    return Answer(PullRenderer(call.server.url, state).told(pull, mergeable=None), 201, {"Location": api})


def open_pull(state: RepositoryState, author: Account, head: str, fields: Json) -> Pull:
    """Open one, without any check."""
    stamp, base = state.world.clock.stamp(), fields["base"]
    number = state.next_number()
    pull = Pull(
        next(state.world.ids),
        number,
        author,
        fields["title"],
        fields.get("body"),
        head,
        state.branches[head],
        base,
        state.branches[base],
        stamp,
        stamp,
        is_draft=bool(fields.get("draft")),
        born_at=state.world.clock.seconds(),
    )
    state.add(pull)
    keep_head(state, pull)
    start_ci(state, pull)
    return pull


def _own_branch(state: RepositoryState, head: str) -> str:
    owner, colon, branch = head.partition(":")
    if not colon:
        return head
    if owner.lower() != state.owner.login.lower():
        raise invalid("PullRequest", "head")
    return branch


def _check_texts(fields: Json) -> None:
    if not fields.get("title"):
        raise invalid("PullRequest", "title", "missing_field")
    if len(fields["title"]) > TITLE_MAX:
        raise invalid("PullRequest", "title", "custom", message="title is too long (maximum is 256 characters)")
    if len(fields.get("body") or "") > BODY_MAX:
        raise invalid("PullRequest", "body", "custom", message="body is too long (maximum is 65536 characters)")


def _check_branches(state: RepositoryState, head: str, base: str) -> None:
    for name, branch in (("head", head), ("base", base)):
        if branch not in state.branches:
            raise invalid("PullRequest", name)
    same = (pull for pull in state.open_pulls() if pull.head_branch == head and pull.base_branch == base)
    if any(same):
        message = f"A pull request already exists for {state.owner.login}:{head}."
        raise ApiError(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])
    if state.git.is_ancestor(state.branches[head], state.branches[base]):
        message = f"No commits between {base} and {head}"
        raise ApiError(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])


@router.add("GET /repos/{owner}/{repo}/pulls/{number}", answers="PullRequest")
def get_pull(call: Call) -> Answer:
    """One pull request."""
    return Answer(PullRenderer(call.server.url, call.repository).alone(call.pull))


@router.add(
    "PATCH /repos/{owner}/{repo}/pulls/{number}",
    answers="PullRequest",
    takes="ReposOwnerRepoPullsPullNumberPatchBody",
)
def change_pull(call: Call) -> Answer:
    """Title, body, base, and open or closed."""
    state, pull, fields = call.writable("pull_requests"), call.pull, call.fields
    if "title" in fields or "body" in fields:
        _check_texts({"title": pull.title, "body": pull.body} | fields)
        pull.title, pull.body = fields.get("title", pull.title), fields.get("body", pull.body)
        state.touch(pull)
    base = fields.get("base", pull.base_branch)
    if base != pull.base_branch:
        if base not in state.branches:
            raise invalid("PullRequest", "base")
        pull.base_branch, pull.base_sha = base, state.branches[base]
        state.touch(pull)
    if fields.get("state") == "closed" and pull.state == "open":
        close(state, pull)
    if fields.get("state") == "open" and pull.state == "closed":
        _reopen(state, pull)
    return Answer(PullRenderer(call.server.url, state).alone(pull))


def _reopen(state: RepositoryState, pull: Pull) -> None:
    """Needs the branch, unforced."""
    tip = state.branches.get(pull.head_branch, "")
    if pull.merged_at or not re.fullmatch("[0-9a-f]{40}", tip) or not state.git.is_ancestor(pull.head_sha, tip):
        message = "state cannot be changed. The branch was force-pushed, recreated or deleted."
        raise ApiError(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])
    pull.state, pull.closed_at, pull.head_sha = "open", None, tip
    state.touch(pull)
