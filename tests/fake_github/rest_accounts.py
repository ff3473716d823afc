"""Who am I, and what have I left."""

from __future__ import annotations

from tests.fake_github.calls import Answer, ApiError, Call, Router
from tests.fake_github.render_accounts import user_json

router = Router()
_STAMP = "2020-01-01T00:00:00Z"
_UNSAID = ("name", "company", "blog", "location", "email", "hireable", "bio")
_COUNTS = ("public_repos", "public_gists", "followers", "following")


@router.add("GET /user", answers="PublicUser")
def get_user(call: Call) -> Answer:
    """The owner of a token; an installation token has none."""
    if call.caller.installation is not None:
        raise ApiError(403, "Resource not accessible by integration")
    body = user_json(call.server.url, call.account) | dict.fromkeys(_UNSAID) | dict.fromkeys(_COUNTS, 0)
    return Answer(body | {"created_at": _STAMP, "updated_at": _STAMP})


@router.add("GET /rate_limit", answers="RateLimitOverview")
def get_rate_limit(call: Call) -> Answer:
    """Free of charge."""
    return Answer(call.server.limits.overview(call.caller.budget))
