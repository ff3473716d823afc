"""What GitHub answered, and what its refusals mean for whoever has to mend them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from parallel_workers.errors import ForgeError

_SAID_MAX_CHARS = 300


class Answer(NamedTuple):
    """Status, headers (names in lower case) and the body, parsed; None when empty, {} when it is no JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def is_good(self) -> bool:
        """It was done; a redirect is not: PyGithub would take the hollow body of a 307 for an object."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """GitHub's own words, those of single errors included; '' without any."""
        if not isinstance(self.body, dict):
            return ""
        errors = self.body.get("errors")
        listed = errors if isinstance(errors, list) else []
        words = [str(self.body.get("message") or "")]
        words += [_words_of(error) for error in listed]
        return "; ".join(word for word in words if word)[:_SAID_MAX_CHARS]

    @property
    def error_kinds(self) -> frozenset[str]:
        """The `type` of each error that GraphQL tells."""
        errors = self.body.get("errors") if isinstance(self.body, dict) else None
        listed = errors if isinstance(errors, list) else []
        return frozenset(str(error["type"]) for error in listed if isinstance(error, dict) and error.get("type"))

    @property
    def limit_words(self) -> str:
        """What may be about a limit: of a refusal its words, of GraphQL's 200 those of errors that stand alone."""
        if self.status != 200:
            return self.message
        has_data = not isinstance(self.body, dict) or "errors" not in self.body or self.body.get("data")
        return "" if has_data else " ".join([self.message, *sorted(self.error_kinds)])

    @property
    def next_url(self) -> str:
        """The next page of a list, '' on the last one."""
        for link in self.headers.get("link", "").split(","):
            target, _, what = link.partition(";")
            if 'rel="next"' in what:
                return target.strip().strip("<>")
        return ""

    def names(self, text: str) -> bool:
        """Whether GitHub's words contain this, in any case."""
        return text.lower() in self.message.lower()


class RefusedError(ForgeError):
    """GitHub refused a call; carries the answer for callers that know better what it means."""

    def __init__(self, what: str, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"{what}: {explain(answer)}", transient=is_transient(answer.status))

    @property
    def is_of_this_only(self) -> bool:
        """Whether just this is refused, and lastingly; without a credential everything is."""
        return not self.transient and self.answer.status != 401


class UnknownOutcomeError(ForgeError):
    """The answer to a write was lost: it may have been done. Look before doing it again."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: the answer of GitHub was lost, and what came of it is not known yet", transient=True)


def read_answer(status: int, headers: Mapping[str, str], text: str) -> Answer:
    """Parse a body; an HTML page of a proxy becomes an empty object."""
    try:
        body = json.loads(text) if text else None
    except ValueError:
        body = {}
    return Answer(status, headers, body)


def is_transient(status: int) -> bool:
    """Whether the same call may be answered better a moment later."""
    return status in {408, 425, 429} or status >= 500


def explain(answer: Answer) -> str:
    """One line for a person: what is wrong, and what to do about it."""
    said = answer.message or f"status {answer.status}"
    if answer.status == 403:
        return _forbidden(answer, said)
    if 300 <= answer.status < 400:
        where = urlsplit(answer.headers.get("location", "")).path
        return f"the repository has moved (to {where or 'an unknown place'}): set the remote to its new address"
    if answer.status >= 500:
        return f"GitHub has a problem of its own (status {answer.status}); it is worth trying again"
    return _SENTENCES.get(answer.status, "GitHub refuses: {said}").format(said=said)


_SENTENCES = {
    401: "GitHub does not accept the token or App ({said}): make a new one, or check GITHUB_API_URL",
    404: "GitHub answers Not Found: there is no such thing, or the credentials have no access to the repository",
}


def _forbidden(answer: Answer, said: str) -> str:
    needed = answer.headers.get("x-accepted-github-permissions", "")
    if needed:
        return f"the credentials lack a permission; GitHub wants {needed.replace('_', ' ')} ({said})"
    if answer.names("saml") or "x-github-sso" in answer.headers:
        return (
            f"the organisation wants the token authorised for single sign-on: do that in the token's settings ({said})"
        )
    return f"GitHub forbids it ({said}): the token or App needs write access to contents and pull requests"


def _words_of(error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    if error.get("message"):
        return str(error["message"])
    return " ".join(str(error[key]) for key in ("resource", "field", "code") if error.get(key))
