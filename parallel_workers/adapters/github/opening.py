"""Opening a pull request so that any number of tries, crashes and lost answers end in one."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any
from urllib.parse import quote

from loguru import logger

from parallel_workers.adapters.github.answers import Answer, RefusedError
from parallel_workers.adapters.github.api import Json, RepositoryApi
from parallel_workers.adapters.github.bodies import (
    adopted_body,
    is_text_ours,
    is_title_ours,
    read_body,
    written_body,
    written_title,
)
from parallel_workers.adapters.github.dressing import Dresser
from parallel_workers.adapters.github.pulls import is_from_here
from parallel_workers.adapters.github.retries import write_once
from parallel_workers.crash_points import reach
from parallel_workers.errors import ForeignPullRequestError, ForgeError
from parallel_workers.pull_request_marker import find_marker
from parallel_workers.pull_requests import PullRequestDraft

_LAG_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""How long what was just pushed may take to be seen by the API."""


class Opener:
    """Looks before it makes, under one lock for each branch, and brings what there is up to date."""

    def __init__(self, api: RepositoryApi, dresser: Dresser) -> None:
        self._api = api
        self._dresser = dresser
        self._guard = threading.Lock()
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def ensure(self, draft: PullRequestDraft) -> Json:
        """GitHub's object of the one pull request for this draft.

        Raises:
            ForgeError: base or head is not there, nothing to merge, another worker has opened one of this branch, or
                GitHub refuses; it says what to do.
        """
        with self._guard:
            lock = self._locks[draft.head_branch]
        with lock:
            found = self._find(draft)
            if found is None and self._api.is_renamed():
                # PyGithub follows the redirect of a renamed repository, and leaves out that merged ones were asked for
                found = self._find(draft)
            if found is not None and found.get("merged_at"):
                return found
            is_new = found is None
            if found is None:
                self._ensure_pushed(draft)
                found = write_once(lambda: self._create(draft), lambda: self._find_open(draft), self._api.timing)
            else:
                found = self._update(found, draft)
            return self._dresser.dress(self._with_head(found, draft), draft, is_new=is_new)

    def list_of_branch(self, branch: str) -> list[Json]:
        """GitHub's objects of all pull requests whose head is this branch of the repository itself."""
        parameters = {"head": f"{self._api.facts.owner}:{branch}", "state": "all"}
        return [
            pull
            for page in self._api.pages(f"look for a pull request of {branch}", "/pulls", parameters)
            for pull in page
            # a `head` that GitHub does not understand answers every pull request there is
            if pull["head"]["ref"] == branch and is_from_here(pull)
        ]

    def _find(self, draft: PullRequestDraft) -> Json | None:
        """An open one of the branch: ours, else a person's into the same base; else the one merged at this head.

        What a person opened into another base is not taken over, and a closed one does not count.

        Raises:
            ForeignPullRequestError: the branch has an open one of another worker.
        """
        listed = self.list_of_branch(draft.head_branch)
        every = [pull for pull in listed if pull["state"] == "open"]
        ours = [pull for pull in every if find_marker(pull["body"]) == draft.worker]
        for pull in () if ours or not draft.worker else every:
            if owner := find_marker(pull["body"]):
                raise ForeignPullRequestError(pull["number"], draft.head_branch, owner, draft.worker)
        still_open = ours or [pull for pull in every if pull["base"]["ref"] == draft.base_branch]
        still_open.sort(key=lambda pull: pull["base"]["ref"] != draft.base_branch)
        merged = [
            pull
            for pull in listed
            if pull["merged_at"]
            and pull["head"]["sha"] == draft.head_sha
            and find_marker(pull["body"]) == (draft.worker or None)
        ]
        return next(iter([*still_open, *merged]), None)

    def _find_open(self, draft: PullRequestDraft) -> Json | None:
        found = self._find(draft)
        return found if found is not None and found["state"] == "open" else None

    def _ensure_pushed(self, draft: PullRequestDraft) -> None:
        """Return when GitHub has the head commit on the branch, or below what others pushed on top of it."""
        path = f"/git/ref/heads/{quote(draft.head_branch)}"
        sha = ""
        for pause in (0.0, *_LAG_PAUSES_SECONDS[:2]):
            self._api.timing.sleep(pause)
            ref = self._api.find(f"look for the branch {draft.head_branch}", path)
            sha = ref["object"]["sha"] if ref else ""
            if sha == draft.head_sha:
                return
        what = f"look for the commit {draft.head_sha[:12]}"
        if sha and self._api.read(what, f"/commits/{draft.head_sha}/status", {"per_page": "1"}).is_good:
            return
        at = f"is at {sha[:12]} on {self._api.place}" if sha else f"is not on {self._api.place}"
        raise ForgeError(f"{draft.head_branch} {at} and {draft.head_sha[:12]} is not there: push first", transient=True)

    def _create(self, draft: PullRequestDraft) -> Json:
        what = f"open a pull request for {draft.head_branch}"
        body: dict[str, Any] = {
            "title": written_title(draft.title),
            "body": written_body(draft.title, draft.body, draft.worker),
            "head": draft.head_branch,
            "base": draft.base_branch,
            "draft": draft.is_draft,
        }
        for pause in (*_LAG_PAUSES_SECONDS, None):
            answer = self._api.create(what, "/pulls", body)
            if answer.is_good:
                reach("github.pull-request-created")
                pull: Json = answer.body
                return pull
            if answer.names("draft pull requests are not supported") and body["draft"]:
                logger.warning("{} has no draft pull requests: opened as an ordinary one", self._api.place)
                body["draft"] = False
                continue
            if answer.names("already exists"):
                found = self._find_open(draft)
                if found is not None:
                    return self._update(found, draft)
            elif not _is_invalid(answer, "head"):
                break
            # what was just made or pushed is not seen by every server yet
            self._api.timing.sleep(pause or 0.0)
        raise self._refusal(what, answer, draft)

    def _refusal(self, what: str, answer: Answer, draft: PullRequestDraft) -> ForgeError:
        base, head, place = draft.base_branch, draft.head_branch, self._api.place
        if _is_invalid(answer, "base"):
            return ForgeError(f"{place} has no branch {base!r} to merge into")
        if _is_invalid(answer, "head"):
            return ForgeError(f"{place} has no branch {head!r}: push first", transient=True)
        if answer.names("no commits between"):
            return ForgeError(f"{head} has no commits that {base} has not: there is nothing to open a pull request for")
        return RefusedError(what, answer)

    def _update(self, pull: Json, draft: PullRequestDraft) -> Json:
        changes = _changes(pull, draft)
        if not changes:
            return pull
        what = f"bring pull request #{pull['number']} up to date"
        try:
            changed: Json = self._api.change(what, f"/pulls/{pull['number']}", changes)
        except RefusedError as error:
            raise self._refusal(what, error.answer, draft) from error
        reach("github.text-changed")
        return changed

    def _with_head(self, pull: Json, draft: PullRequestDraft) -> Json:
        """The pull request once it shows what was pushed last; after a while as it is."""
        for pause in _LAG_PAUSES_SECONDS[:3]:
            if pull["head"]["sha"] == draft.head_sha:
                break
            self._api.timing.sleep(pause)
            pull = self._api.get(f"look at pull request #{pull['number']}", f"/pulls/{pull['number']}")
        return pull


def _changes(pull: Json, draft: PullRequestDraft) -> Json:
    """What brings it up to date: title and text while they are as we wrote them; never the base."""
    body = pull["body"] or ""
    changes: Json = {}
    if draft.worker and find_marker(body) is None:
        return {"body": adopted_body(read_body(body), draft.worker)}
    title, text = written_title(draft.title), written_body(draft.title, draft.body, draft.worker)
    if pull["title"] != title and is_title_ours(pull["title"], body):
        changes["title"] = title
    if body.replace("\r\n", "\n") != text and is_text_ours(body):
        changes["body"] = text
    return changes


def _is_invalid(answer: Answer, field: str) -> bool:
    errors = answer.body.get("errors") if isinstance(answer.body, dict) else None
    return answer.status == 422 and any(
        isinstance(error, dict) and error.get("field") == field and error.get("code") == "invalid"
        for error in (errors if isinstance(errors, list) else [])
    )
