"""Comments on a pull request, its reviews and the comments in its diff."""

from __future__ import annotations

from tests.fake_github.calls import Answer, Call, Router, invalid
from tests.fake_github.pages import PAGING, page_of
from tests.fake_github.render_accounts import user_json
from tests.fake_github.rest_pulls import BODY_MAX
from tests.fake_github.values import GHOST, Account, Comment, Json, Pull, Review, ReviewComment, Thread

router = Router()


def _user(call: Call, account: Account) -> Json | None:
    return None if account.login == GHOST else user_json(call.server.url, account)


def _html(call: Call, pull: Pull) -> str:
    return f"{call.server.url}/{call.repository.full_name}/pull/{pull.number}"


def _api(call: Call) -> str:
    return f"{call.server.api_url}/repos/{call.repository.full_name}"


def comment_json(call: Call, pull: Pull, comment: Comment) -> Json:
    """A comment on the pull request itself."""
    return {
        "id": comment.id,
        "node_id": f"IC_{comment.id:08d}",
        "url": f"{_api(call)}/issues/comments/{comment.id}",
        "html_url": f"{_html(call, pull)}#issuecomment-{comment.id}",
        "issue_url": f"{_api(call)}/issues/{pull.number}",
        "body": comment.body,
        "user": _user(call, comment.author),
        "created_at": comment.created_at,
        "updated_at": comment.created_at,
        "author_association": call.repository.association_of(comment.author),
    }


@router.add(
    "GET /repos/{owner}/{repo}/issues/{number}/comments", answers="list[IssueComment]", query=("since", *PAGING)
)
def list_comments(call: Call) -> Answer:
    """Oldest first."""
    pull, since = call.pull, call.query.get("since", "")
    page, headers = page_of(call, [comment for comment in pull.comments if comment.created_at >= since])
    return Answer([comment_json(call, pull, comment) for comment in page], headers=headers)


@router.add(
    "POST /repos/{owner}/{repo}/issues/{number}/comments",
    answers="IssueComment",
    takes="ReposOwnerRepoIssuesIssueNumberCommentsPostBody",
)
def create_comment(call: Call) -> Answer:
    """Who may read may comment; nothing keeps the same text from being said twice."""
    state, pull, account, body = call.repository, call.pull, call.account, call.fields["body"]
    if not body.strip() or len(body) > BODY_MAX:
        raise invalid("IssueComment", "body", "custom", message="body is blank or too long")
    comment = Comment(next(state.world.ids), account, body, state.world.clock.stamp())
    pull.comments.append(comment)
    state.touch(pull)
    return Answer(comment_json(call, pull, comment), 201)


def review_json(call: Call, pull: Pull, review: Review) -> Json:
    """A submitted review; REST writes its state in upper case."""
    html = f"{_html(call, pull)}#pullrequestreview-{review.id}"
    api = f"{_api(call)}/pulls/{pull.number}"
    return {
        "id": review.id,
        "node_id": f"PRR_{review.id:08d}",
        "user": _user(call, review.author),
        "body": review.body,
        "state": review.state,
        "html_url": html,
        "pull_request_url": api,
        "_links": {"html": {"href": html}, "pull_request": {"href": api}},
        "submitted_at": review.submitted_at,
        "commit_id": review.commit_sha,
        "author_association": call.repository.association_of(review.author),
    }


@router.add("GET /repos/{owner}/{repo}/pulls/{number}/reviews", answers="list[PullRequestReview]", query=PAGING)
def list_reviews(call: Call) -> Answer:
    """Oldest first."""
    pull = call.pull
    page, headers = page_of(call, pull.reviews)
    return Answer([review_json(call, pull, review) for review in page], headers=headers)


def _remark_json(call: Call, pull: Pull, thread: Thread, comment: ReviewComment) -> Json:
    api = f"{_api(call)}/pulls/comments/{comment.id}"
    html = f"{_html(call, pull)}#discussion_r{comment.id}"
    pull_api = f"{_api(call)}/pulls/{pull.number}"
    links = {"self": {"href": api}, "html": {"href": html}, "pull_request": {"href": pull_api}}
    found = {
        "url": api,
        "pull_request_review_id": comment.review_id,
        "id": comment.id,
        "node_id": f"PRRC_{comment.id:08d}",
        "diff_hunk": "@@ -0,0 +1 @@",
        "path": thread.path,
        "commit_id": pull.head_sha,
        "original_commit_id": comment.commit_sha,
        "user": _user(call, comment.author),
        "body": comment.body,
        "created_at": comment.created_at,
        "updated_at": comment.created_at,
        "html_url": html,
        "pull_request_url": pull_api,
        "author_association": call.repository.association_of(comment.author),
        "_links": links,
        "line": None if thread.is_outdated else thread.line,
        "original_line": thread.line,
        "side": "RIGHT",
    }
    return found | ({"in_reply_to_id": comment.reply_to} if comment.reply_to else {})


@router.add(
    "GET /repos/{owner}/{repo}/pulls/{number}/comments",
    answers="list[PullRequestReviewComment]",
    query=("sort", "direction", "since", *PAGING),
)
def list_remarks(call: Call) -> Answer:
    """Comments in the diff; REST does not say which are resolved."""
    pull, since = call.pull, call.query.get("since", "")
    every = [(thread, comment) for thread in pull.threads for comment in thread.comments if comment.created_at >= since]
    every.sort(key=lambda pair: pair[1].id, reverse=call.query.get("direction") == "desc")
    page, headers = page_of(call, every)
    return Answer([_remark_json(call, pull, thread, comment) for thread, comment in page], headers=headers)
