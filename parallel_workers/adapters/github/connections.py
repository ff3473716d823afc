"""One connection for each credential of this process, and how an App gets its tokens."""

from __future__ import annotations

import hashlib
import threading

from github import Auth
from pydantic import SecretStr

from parallel_workers.adapters.github.answers import Answer, RefusedError
from parallel_workers.adapters.github.connection import Connection, Request
from parallel_workers.adapters.github.credentials import GitHubApp, GitHubCredentials
from parallel_workers.adapters.github.limiter import Kind
from parallel_workers.adapters.github.timing import Timing
from parallel_workers.adapters.github.tokens import IssuedToken, TokenSource, fixed_token, parse_expiry
from parallel_workers.errors import ForgeError, UsageError

_open: dict[tuple[str, ...], Connection] = {}
_opening = threading.Lock()


def open_connection(credentials: GitHubCredentials, full_name: str, timing: Timing) -> Connection:
    """The connection for these credentials; the same one for every repository that they are for.

    Raises:
        UsageError: the App's private key is no key.
        ForgeError: the App is not installed for the repository, or GitHub cannot be reached.
    """
    if credentials.token is not None:
        secret = credentials.token
        key = (credentials.hosts.api_url, "token", _digest(secret))
        with _opening:
            if key not in _open:
                _open[key] = Connection(credentials.hosts, fixed_token(secret, timing), timing)
            return _open[key]
    if credentials.app is None:
        raise UsageError("there are no GitHub credentials")
    return _open_installation(credentials, credentials.app, full_name, timing)


def close_connections() -> None:
    """Close and forget all; for the end of a process, and of a test."""
    with _opening:
        for connection in _open.values():
            connection.close()
        _open.clear()


def issued_tokens() -> tuple[str, ...]:
    """The tokens in use in this process: nothing may show them. Contacts nobody, and waits for nobody."""
    return tuple(dict.fromkeys(token for connection in tuple(_open.values()) for token in connection.issued_tokens))


def _open_installation(credentials: GitHubCredentials, app: GitHubApp, full_name: str, timing: Timing) -> Connection:
    with _opening:
        key: tuple[str, ...] = (credentials.hosts.api_url, "app", str(app.app_id), _digest(app.private_key))
        if key not in _open:
            _open[key] = Connection(credentials.hosts, _app_auth(app), timing)
        signed = _open[key]
        installation = app.installation_id or _find_installation(signed, full_name)
        key = (*key, str(installation))
        if key not in _open:
            source = TokenSource(lambda: _issue(signed, installation), timing)
            _open[key] = Connection(credentials.hosts, source, timing)
        return _open[key]


def _app_auth(app: GitHubApp) -> Auth.AppAuth:
    auth = Auth.AppAuth(app.app_id, app.private_key.get_secret_value())
    try:
        auth.create_jwt()
    except Exception:  # noqa: BLE001 - cryptography's and PyJWT's have no common base, and may quote the key
        raise UsageError(
            "the GitHub App's private key is no PEM key: paste the whole file, from -----BEGIN to END-----"
        ) from None
    return auth


def _find_installation(signed: Connection, full_name: str) -> int:
    what = f"look for the GitHub App's installation on {full_name}"
    answer = signed.call(Request(what, Kind.READ, "GET", f"/repos/{full_name}/installation", repeatable=True))
    if answer.status == 404:
        raise ForgeError(f"the GitHub App is not installed for {full_name}: install it there, or use a token")
    return int(_good(what, answer).body["id"])


def _issue(signed: Connection, installation: int) -> IssuedToken:
    what = "get a token for the GitHub App's installation"
    url = f"/app/installations/{installation}/access_tokens"
    # a second token does no harm: each ends by itself after an hour
    request = Request(what, Kind.WRITE, "POST", url, body={}, repeatable=True)
    body = _good(what, signed.call(request)).body
    return IssuedToken(SecretStr(body["token"]), parse_expiry(body["expires_at"]))


def _good(what: str, answer: Answer) -> Answer:
    if not answer.is_good:
        raise RefusedError(what, answer)
    return answer


def _digest(secret: SecretStr) -> str:
    return hashlib.sha256(secret.get_secret_value().encode()).hexdigest()
