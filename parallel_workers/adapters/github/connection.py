"""The one way to GitHub's API for a credential and process: limiter, retries, breaker, and errors a person can use.

PyGithub brings authentication, the connection pool, proxies and certificate authorities. Its own throttle and
retries are off: they are unsynchronised, repeat writes, and sleep for up to an hour in the calling thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from github import Auth, Github
from requests.exceptions import RequestException

from parallel_workers.adapters.github.answers import (
    Answer,
    RefusedError,
    UnknownOutcomeError,
    is_transient,
    read_answer,
)
from parallel_workers.adapters.github.credentials import GitHubHosts
from parallel_workers.adapters.github.limiter import Kind, Limiter
from parallel_workers.adapters.github.retries import PAUSES_SECONDS, was_never_sent
from parallel_workers.adapters.github.timing import Timing
from parallel_workers.adapters.github.tokens import TokenSource
from parallel_workers.errors import ForgeError

API_VERSION = "2022-11-28"
TIMEOUT_SECONDS = 30
POOL_SIZE = 10
"""Requests at once; GitHub's secondary limit is 100 for all that one user does."""

_LIMIT_TRIES = 3


class Request(NamedTuple):
    """One call. `what` begins the message of an error; `repeatable` ones may be sent again after a lost answer."""

    what: str
    kind: Kind
    verb: str
    url: str
    parameters: Mapping[str, str] | None = None
    body: Any = None
    headers: Mapping[str, str] | None = None
    repeatable: bool = False
    is_tried_once: bool = False
    """For calls that come again anyway: a failure is told at once."""


class Connection:
    """Safe for many threads; one for each credential, so that all share limiter and breaker."""

    def __init__(self, hosts: GitHubHosts, auth: Auth.Auth, timing: Timing, limiter: Limiter | None = None) -> None:
        self.hosts = hosts
        self.timing = timing
        self.limiter = limiter or Limiter(timing)
        self._auth = auth
        self._in_flight = threading.BoundedSemaphore(POOL_SIZE)
        _keep_bodies_out_of_logs()
        self._github = Github(
            auth=auth,
            base_url=hosts.api_url,
            timeout=TIMEOUT_SECONDS,
            user_agent="parallel-workers",
            retry=None,
            pool_size=POOL_SIZE,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
            api_version=API_VERSION,
        )

    @property
    def token(self) -> str:
        """The token of the moment, for git. Raises ForgeError when none is to be had."""
        return self._auth.token

    @property
    def issued_tokens(self) -> tuple[str, ...]:
        """Tokens that GitHub gave this process for an App's installation; none is asked for."""
        return self._auth.issued if isinstance(self._auth, TokenSource) else ()

    def call(self, request: Request) -> Answer:
        """The answer, also when it is a refusal.

        Raises:
            ForgeBusyError: the limit is used up, or GitHub asked for a pause; says until when.
            UnknownOutcomeError: the answer to a write that must not be repeated was lost.
            ForgeError: GitHub cannot be reached.
        """
        refused_for_limits = 0
        for pause in (None,) if request.is_tried_once else (*PAUSES_SECONDS, None):
            while True:
                self.limiter.admit(request.kind)
                answer = self._try(request, is_last=pause is None)
                if answer is None or not self._was_limited(request, answer):
                    break
                # a call that was refused for a limit was not carried out: it may be sent again, whatever it is
                refused_for_limits += 1
                if refused_for_limits > _LIMIT_TRIES:
                    raise self.limiter.busy(request.kind)
            if answer is not None and (pause is None or not is_transient(answer.status)):
                return answer
            self.timing.sleep(pause or 0.0)
        raise AssertionError("the last try answers or raises")

    def ask(self, request: Request) -> Answer:
        """As `call`, and a refusal is an error. Raises RefusedError."""
        answer = self.call(request)
        if not answer.is_good:
            raise RefusedError(request.what, answer)
        return answer

    def close(self) -> None:
        """Give the connections back."""
        self._github.close()

    def _try(self, request: Request, *, is_last: bool) -> Answer | None:
        """One try; None when it may be repeated and there is no answer."""
        try:
            token = self._auth.token
            with self._in_flight:
                answer = self._send(request)
        except RequestException as error:
            if not request.repeatable and not was_never_sent(error):
                raise UnknownOutcomeError(request.what) from error
            if is_last:
                where, why = self.hosts.api_host, type(error).__name__
                raise ForgeError(f"{request.what}: {where} cannot be reached ({why})", transient=True) from None
            return None
        if answer.status == 401 and isinstance(self._auth, TokenSource) and self._auth.forget(token):
            with self._in_flight:
                answer = self._send(request)
        if answer.status >= 500 and not request.repeatable:
            raise UnknownOutcomeError(request.what)
        return answer

    def _send(self, request: Request) -> Answer:
        try:
            status, headers, text = self._github.requester.requestJson(
                request.verb,
                request.url,
                dict(request.parameters or {}),
                dict(request.headers or {}),
                request.body,
            )
        except RuntimeError as error:
            # PyGithub's word for a redirect to another server: the credential is for this one only
            if "redirected" not in str(error):
                raise
            said = str(error).partition(", ")[0]
            raise ForgeError(f"{request.what}: {said}; {self.hosts.way_out}") from None
        return read_answer(status, headers, text)

    def _was_limited(self, request: Request, answer: Answer) -> bool:
        return self.limiter.learn(request.kind, answer.status, answer.headers, answer.limit_words)


def _keep_bodies_out_of_logs() -> None:
    """At DEBUG PyGithub logs requests and answers with their bodies, tokens of installations included."""
    logger = logging.getLogger("github.Requester")
    if logger.getEffectiveLevel() < logging.INFO or logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
