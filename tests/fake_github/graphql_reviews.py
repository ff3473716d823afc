"""Reviews, threads and comments of a pull request in GraphQL."""

from __future__ import annotations

from typing import Any

from tests.fake_github.graphql_nodes import actor_node, commit_node, connection, paged
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import GHOST, Account, Comment, Json, Pull, Review, ReviewComment, Thread


class ReviewNodes:
    """Writes what reviewers said of one pull request; `page` is its URL for people."""

    def __init__(self, url: str, page: str, pull: Pull, state: RepositoryState) -> None:
        self._url = url
        self._page = page
        self._pull = pull
        self._state = state

    def fields(self) -> Json:
        """Fields of PullRequest that are about reviews and comments."""
        return {
            "comments": paged(lambda: self._pull.comments, self._comment),
            "reviews": self._reviews,
            "latestReviews": paged(lambda: self._latest(opinionated=False), self._review),
            "latestOpinionatedReviews": paged(lambda: self._latest(opinionated=True), self._review),
            "reviewThreads": paged(lambda: self._pull.threads, self._thread),
            "reviewRequests": paged(lambda: self._pull.reviewers, self._request),
        }

    def _reviews(self, _info: object, **arguments: Any) -> Json:
        states, author = arguments.get("states"), arguments.get("author")
        found = [
            review
            for review in self._pull.reviews
            if (not states or review.state in states) and author in {None, review.author.login}
        ]
        return connection(found, self._review, arguments)

    def _latest(self, *, opinionated: bool) -> list[Review]:
        """Each user's last review; or each one's last that is more than a comment."""
        found = [one for one in self._pull.reviews if not opinionated or one.state != "COMMENTED"]
        return list({review.author.login: review for review in found}.values())

    def _said(self, author: Account, body: str, at: str) -> Json:
        known = None if author.login == GHOST else actor_node(self._url, author)
        return {"author": known, "body": body, "createdAt": at, "updatedAt": at}

    def _may_push(self, author: Account) -> bool:
        return self._state.permission_of(author.login) in {"write", "admin"}

    def _comment(self, comment: Comment) -> Json:
        return self._said(comment.author, comment.body, comment.created_at) | {
            "__typename": "IssueComment",
            "id": f"IC_{comment.id:08d}",
            "fullDatabaseId": str(comment.id),
            "url": f"{self._page}#issuecomment-{comment.id}",
        }

    def _review(self, review: Review) -> Json:
        return self._said(review.author, review.body, review.submitted_at) | {
            "__typename": "PullRequestReview",
            "authorAssociation": self._state.association_of(review.author),
            "authorCanPushToRepository": self._may_push(review.author),
            "id": f"PRR_{review.id:08d}",
            "databaseId": review.id,
            "fullDatabaseId": str(review.id),
            "state": review.state,
            "submittedAt": review.submitted_at,
            "commit": commit_node(review.commit_sha),
            "url": f"{self._page}#pullrequestreview-{review.id}",
        }

    def _thread(self, thread: Thread) -> Json:
        return {
            "__typename": "PullRequestReviewThread",
            "id": f"PRRT_{thread.id:08d}",
            "isResolved": thread.is_resolved,
            "isOutdated": thread.is_outdated,
            "path": thread.path,
            "line": None if thread.is_outdated else thread.line,
            "originalLine": thread.line,
            "startLine": None,
            "comments": paged(lambda: thread.comments, lambda comment: self._remark(thread, comment)),
        }

    def _remark(self, thread: Thread, comment: ReviewComment) -> Json:
        review = next(one for one in self._pull.reviews if one.id == comment.review_id)
        return self._said(comment.author, comment.body, comment.created_at) | {
            "__typename": "PullRequestReviewComment",
            "authorAssociation": self._state.association_of(comment.author),
            "id": f"PRRC_{comment.id:08d}",
            "databaseId": comment.id,
            "fullDatabaseId": str(comment.id),
            "path": thread.path,
            "line": None if thread.is_outdated else thread.line,
            "outdated": thread.is_outdated,
            "pullRequestReview": self._review(review),
            "url": f"{self._page}#discussion_r{comment.id}",
        }

    def _request(self, account: Account) -> Json:
        return {
            "__typename": "ReviewRequest",
            "id": f"RR_{account.id}",
            "requestedReviewer": actor_node(self._url, account),
        }
