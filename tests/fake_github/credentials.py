"""Who is asking: tokens, Apps and their installation tokens."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.fake_github.clock import Clock
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Account

_RANKS = {"": 0, "read": 1, "write": 2, "admin": 3}


class Caller(NamedTuple):
    """The owner of the credential of a request; `account` None for an anonymous one."""

    account: Account | None
    token: str = ""
    installation: int | None = None
    unseen: frozenset[str] = frozenset()
    """Fields of a pull request in GraphQL that the token has no permission for."""

    def may(self, repository: RepositoryState, permission: str) -> bool:
        """Whether the caller holds at least this permission there."""
        if self.account is None:
            return permission == "read" and not repository.is_private
        return _RANKS[repository.permission_of(self.account.login)] >= _RANKS[permission]

    @property
    def budget(self) -> str:
        """Whose limit the request counts on: all tokens of a user share one."""
        return self.account.login if self.account else "anonymous"


class UnknownCredentialError(Exception):
    """A credential that is wrong, or has expired."""


@dataclass
class App:
    """A GitHub App and its one installation."""

    id: int
    slug: str
    owner: Account
    bot: Account
    public_key: str
    installation_id: int
    created_at: str
    token_seconds: float = 3600.0
    """How long new installation tokens live."""
    is_suspended: bool = False
    """The owner has switched the installation off: no new tokens."""


class _Grant(NamedTuple):
    account: Account
    expires_at: float
    installation: int | None


@dataclass
class Credentials:
    """All tokens and Apps of a server."""

    clock: Clock
    apps: dict[int, App] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    """Every token there ever was, for assertions that none leaked."""
    unseen: dict[str, frozenset[str]] = field(default_factory=dict)
    """By token, the fields of a pull request in GraphQL that are FORBIDDEN to it."""
    _grants: dict[str, _Grant] = field(default_factory=dict)

    def give_token(self, account: Account) -> str:
        """A new personal access token that does not expire."""
        token = f"ghp_{secrets.token_hex(18)}"
        self.given.add(token)
        self._grants[token] = _Grant(account, float("inf"), None)
        return token

    def give_installation_token(self, app: App) -> tuple[str, str]:
        """A new installation token and when it expires."""
        token = f"ghs_{secrets.token_hex(18)}"
        self.given.add(token)
        self._grants[token] = _Grant(app.bot, self.clock.seconds() + app.token_seconds, app.installation_id)
        return token, self.clock.stamp(app.token_seconds)

    def revoke(self, token: str) -> None:
        """From now on it is a bad credential."""
        self._grants.pop(token, None)

    def find(self, token: str) -> Caller:
        """Who a token belongs to. Raises UnknownCredentialError."""
        grant = self._grants.get(token)
        if grant is None or grant.expires_at <= self.clock.seconds():
            raise UnknownCredentialError
        return Caller(grant.account, token, grant.installation, self.unseen.get(token, frozenset()))


def token_of(authorization: str) -> str:
    """The token in an Authorization header; of basic authentication the password, '' when there is none.

    Raises:
        UnknownCredentialError: it cannot be read.
    """
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() in {"token", "bearer"}:
        return rest.strip()
    if scheme.lower() != "basic":
        raise UnknownCredentialError
    try:
        user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnknownCredentialError from error
    if user != "x-access-token":
        raise UnknownCredentialError
    return password
