"""Requests for review."""

from __future__ import annotations

from tests.fake_github.calls import Answer, ApiError, Call, Router
from tests.fake_github.pages import PAGING
from tests.fake_github.render_accounts import user_json
from tests.fake_github.render_pulls import PullRenderer

router = Router()


@router.add(
    "GET /repos/{owner}/{repo}/pulls/{number}/requested_reviewers", answers="PullRequestReviewRequest", query=PAGING
)
def list_requested(call: Call) -> Answer:
    """Whose review is still waited for."""
    return Answer({"users": [user_json(call.server.url, one) for one in call.pull.reviewers], "teams": []})


@router.add(
    "POST /repos/{owner}/{repo}/pulls/{number}/requested_reviewers",
    answers="PullRequestSimple",
    takes="ReposOwnerRepoPullsPullNumberRequestedReviewersPostBodyAnyof0",
)
def request_reviews(call: Call) -> Answer:
    """All or none: one bad name fails the whole."""
    state, pull = call.writable("pull_requests"), call.pull
    known = {login.lower() for login in state.permissions}
    names = [name.lower() for name in call.fields.get("reviewers", [])]
    if pull.author.login.lower() in names:
        raise ApiError(422, "Review cannot be requested from pull request author.")
    if call.fields.get("team_reviewers") or not set(names) <= known:
        raise ApiError(
            422,
            "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not "
            f"a collaborator of the {state.full_name} repository.",
        )
    wanted = [call.server.account(name) for name in names]
    pull.reviewers += [one for one in wanted if one not in pull.reviewers]
    state.touch(pull)
    return Answer(PullRenderer(call.server.url, state).listed(pull), 201)
