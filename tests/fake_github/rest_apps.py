"""GitHub Apps: the App itself by JWT, its installation, and installation tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jwt

from tests.fake_github.calls import Answer, ApiError, Call, Router, not_found
from tests.fake_github.credentials import App
from tests.fake_github.render_accounts import user_json
from tests.fake_github.values import Json

if TYPE_CHECKING:
    from tests.fake_github.server import FakeGitHub

router = Router()
_FOR_APPS = re.compile(r"/app(/.*)?|/repos/[^/]+/[^/]+/installation")
_PERMISSIONS = {
    "contents": "write",
    "pull_requests": "write",
    "metadata": "read",
    "checks": "read",
    "statuses": "read",
}


def asks_for_app(path: str) -> bool:
    """Whether the endpoint takes an App's JWT and no token."""
    return _FOR_APPS.fullmatch(path) is not None


def check_jwt(server: FakeGitHub, token: str) -> int:
    """The App whose key signed a JWT. Raises ApiError 401 with GitHub's reason."""
    try:
        claimed = jwt.decode(token, options={"verify_signature": False})
        app = server.credentials.apps[int(claimed["iss"])]
        now = server.clock.seconds()
        options: Any = {"verify_exp": False, "verify_iat": False, "verify_sub": False}
        claims = jwt.decode(token, app.public_key, algorithms=["RS256"], options=options)
    except (jwt.InvalidTokenError, KeyError, ValueError) as error:
        raise ApiError(401, "A JSON web token could not be decoded") from error
    if claims["iat"] > now + 60:
        raise ApiError(
            401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )
    if claims["exp"] <= now:
        raise ApiError(401, "'Expiration time' claim ('exp') must be a numeric value representing the future time")
    if claims["exp"] > now + 660:
        raise ApiError(401, "'Expiration time' claim ('exp') is too far in the future")
    return app.id


def _app(call: Call) -> App:
    if "app_id" not in call.path:
        raise ApiError(401, "A JSON web token could not be decoded")
    return call.server.credentials.apps[int(call.path["app_id"])]


def _installation_json(call: Call, app: App) -> Json:
    url = call.server.url
    api = f"{call.server.api_url}/app/installations/{app.installation_id}"
    return {
        "id": app.installation_id,
        "account": user_json(url, app.owner),
        "repository_selection": "all",
        "access_tokens_url": f"{api}/access_tokens",
        "repositories_url": f"{call.server.api_url}/installation/repositories",
        "html_url": f"{url}/settings/installations/{app.installation_id}",
        "app_id": app.id,
        "app_slug": app.slug,
        "target_id": app.owner.id,
        "target_type": app.owner.kind,
        "permissions": _PERMISSIONS,
        "events": [],
        "created_at": app.created_at,
        "updated_at": app.created_at,
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": call.server.clock.stamp() if app.is_suspended else None,
    }


@router.add("GET /app", answers="Integration")
def get_app(call: Call) -> Answer:
    """The App that signed the JWT."""
    app = _app(call)
    return Answer(
        {
            "id": app.id,
            "slug": app.slug,
            "node_id": f"A_{app.id:08d}",
            "owner": user_json(call.server.url, app.owner),
            "name": app.slug,
            "description": None,
            "external_url": "https://example.invalid",
            "html_url": f"{call.server.url}/apps/{app.slug}",
            "created_at": app.created_at,
            "updated_at": app.created_at,
            "permissions": _PERMISSIONS,
            "events": [],
            "installations_count": 1,
        }
    )


@router.add("GET /repos/{owner}/{repo}/installation", answers="Installation")
def get_repository_installation(call: Call) -> Answer:
    """Where the App is installed that covers a repository."""
    app = _app(call)
    if f"{call.path['owner']}/{call.path['repo']}".lower() not in call.server.repositories:
        raise not_found()
    return Answer(_installation_json(call, app))


@router.add("GET /app/installations/{installation}", answers="Installation")
def get_installation(call: Call) -> Answer:
    """One installation."""
    app = _app(call)
    if call.path["installation"] != str(app.installation_id):
        raise not_found()
    return Answer(_installation_json(call, app))


@router.add(
    "POST /app/installations/{installation}/access_tokens",
    answers="InstallationToken",
    takes="AppInstallationsInstallationIdAccessTokensPostBody",
)
def create_installation_token(call: Call) -> Answer:
    """A token that expires after `app.token_seconds`."""
    app = _app(call)
    if call.path["installation"] != str(app.installation_id):
        raise not_found()
    if app.is_suspended:
        raise ApiError(403, "This installation has been suspended")
    token, expires_at = call.server.credentials.give_installation_token(app)
    body = {"token": token, "expires_at": expires_at, "permissions": _PERMISSIONS, "repository_selection": "all"}
    return Answer(body, 201)
