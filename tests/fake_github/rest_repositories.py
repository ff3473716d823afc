"""`GET /repos/{owner}/{repo}` and what is only for administrators."""

from __future__ import annotations

from tests.fake_github.calls import Answer, Call, Router, not_found
from tests.fake_github.render_repository import full_repository_json

router = Router()


@router.add("GET /repos/{owner}/{repo}", answers="FullRepository")
def get_repository(call: Call) -> Answer:
    """The repository and how it may be merged into."""
    return Answer(full_repository_json(call.server.url, call.repository, call.caller))


@router.add("GET /repos/{owner}/{repo}/branches/{branch*}/protection", answers=None)
def get_protection(call: Call) -> Answer:
    """Rules of a branch: 404 without the right to administrate, and the fake's callers never have it."""
    raise not_found()
