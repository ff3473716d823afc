"""Giving a pull request back to people: one comment, and a label that they take off."""

from __future__ import annotations

import hashlib
import threading
from typing import Any

from loguru import logger

from parallel_workers.adapters.github.answers import RefusedError
from parallel_workers.adapters.github.api import RepositoryApi
from parallel_workers.adapters.github.bodies import BODY_MAX_CHARS
from parallel_workers.adapters.github.labels import Labels
from parallel_workers.adapters.github.retries import write_once
from parallel_workers.crash_points import reach
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL

_DIGEST_CHARS = 12


class HumanAsker:
    """Says each thing once: the comment carries a marker with a hash of its text, and is looked up before posting."""

    def __init__(self, api: RepositoryApi, labels: Labels) -> None:
        self._api = api
        self._labels = labels
        self._lock = threading.Lock()

    def ask(self, number: int, text: str) -> Any:
        """See ports.Forge; the labels of the pull request afterwards. Raises ForgeError.

        The label is put on, too, where nobody may comment, such as in a locked conversation.
        """
        with self._lock:
            if not self._is_said(number, text):
                try:
                    write_once(
                        lambda: self._say(number, text), lambda: self._is_said(number, text) or None, self._api.timing
                    )
                except RefusedError as error:
                    if not error.is_of_this_only:
                        raise
                    logger.warning("a person is asked by a label only: {}", error)
                else:
                    reach("github.comment-made")
            self._labels.ensure_label(NEEDS_HUMAN_LABEL)
            what = f"label pull request #{number}"
            body = {"labels": [NEEDS_HUMAN_LABEL]}
            labels = self._api.change(what, f"/issues/{number}/labels", body, verb="POST")
            reach("github.labelled-for-person")
            return labels

    def _is_said(self, number: int, text: str) -> bool:
        what = f"look at the comments of pull request #{number}"
        marker = _marker(text)
        return any(
            marker in (comment["body"] or "")
            for page in self._api.pages(what, f"/issues/{number}/comments")
            for comment in page
        )

    def _say(self, number: int, text: str) -> bool:
        what = f"comment on pull request #{number}"
        marker = _marker(text)
        body = f"{text[: BODY_MAX_CHARS - len(marker) - 2]}\n\n{marker}"
        answer = self._api.create(what, f"/issues/{number}/comments", {"body": body})
        if not answer.is_good:
            raise RefusedError(what, answer)
        return True


def _marker(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARS]
    return f"<!-- parallel-workers needs-human={digest} -->"
