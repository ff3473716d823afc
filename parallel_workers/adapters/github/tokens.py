"""The token of the moment: one that was given, or one of an App's installation, renewed by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from github import Auth
from pydantic import SecretStr

from parallel_workers.adapters.github.timing import Timing

RENEWED_BEFORE_SECONDS = 300.0
"""An installation token lives an hour; a push that begins with one must be able to end with it."""


class IssuedToken(NamedTuple):
    """A token and when it ends, in seconds since the epoch."""

    secret: SecretStr
    expires_at: float


class TokenSource(Auth.Auth):
    """PyGithub's authentication with whatever token is good now.

    PyGithub's own for Apps renews without a lock, in as many threads as happen to ask.
    """

    def __init__(self, issue: Callable[[], IssuedToken], timing: Timing) -> None:
        self._issue = issue
        self._timing = timing
        self._lock = threading.Lock()
        self._issued: IssuedToken | None = None
        self._former: IssuedToken | None = None

    @property
    def token_type(self) -> str:
        """As GitHub takes it in the Authorization header."""
        return "token"

    @property
    def token(self) -> str:
        """A token that is good for some minutes at least. Raises ForgeError when none is to be had."""
        with self._lock:
            if self._issued is None or self._issued.expires_at - RENEWED_BEFORE_SECONDS <= self._timing.now():
                self._former, self._issued = self._issued, self._issue()
            return self._issued.secret.get_secret_value()

    @property
    def issued(self) -> tuple[str, ...]:
        """The tokens that may still be good; none is asked for."""
        return tuple(token.secret.get_secret_value() for token in (self._former, self._issued) if token is not None)

    def forget(self, refused: str) -> bool:
        """Drop a token that was refused before its time; whether the next is another one.

        Also when another thread, whose call was refused at the same time, has dropped or renewed it already.
        """
        with self._lock:
            if self._issued is None or self._issued.secret.get_secret_value() != refused:
                return True
            is_renewable = self._issued.expires_at != float("inf")
            if is_renewable:
                self._issued = None
            return is_renewable

    @property
    def _masked_token(self) -> str:
        return "token (removed)"


def fixed_token(secret: SecretStr, timing: Timing) -> TokenSource:
    """A token that was given and does not end as far as we know."""
    return TokenSource(lambda: IssuedToken(secret, float("inf")), timing)


def parse_expiry(text: str) -> float:
    """GitHub's `2026-01-31T12:00:00Z` in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()
