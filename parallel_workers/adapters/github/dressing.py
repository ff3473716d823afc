"""What a pull request gets beside title and body: labels, milestone, assignees, reviewers. Labels are only added."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger

from parallel_workers.adapters.github.answers import RefusedError
from parallel_workers.adapters.github.api import Json, RepositoryApi
from parallel_workers.adapters.github.labels import Labels, written_label
from parallel_workers.adapters.github.pulls import label_names, with_issue
from parallel_workers.adapters.github.retries import LOOK_PAUSES_SECONDS
from parallel_workers.crash_points import reach
from parallel_workers.pull_requests import PullRequestDraft

_SideMatter = Callable[[Json, PullRequestDraft], Json]

_LABELS_MAX = 100
_LASTING = {403, 404, 410, 422}
"""Refused for good: no permission, no such thing, switched off, not to be had. The pull request is worth more."""


class Dresser:
    """Adds what is missing and takes nothing away: people label and assign too."""

    def __init__(self, api: RepositoryApi, labels: Labels) -> None:
        self._api = api
        self._labels = labels

    def dress(self, pull: Json, draft: PullRequestDraft, *, is_new: bool) -> Json:
        """The pull request with all that the draft asks for, as far as GitHub lets it; the rest is a warning."""
        # a new pull request is not known to all of GitHub's servers for a moment
        pauses = LOOK_PAUSES_SECONDS if is_new else ()
        for side_matter in (self._label, self._set_milestone, self._assign):
            pull = self._add(side_matter, pull, draft, pauses)
        missing = self._unasked(pull, draft)
        if missing and not is_new:
            # a submitted review removes the request, and asking again would nag
            reviewed = self._reviewers(pull)
            missing = [name for name in missing if name.lower() not in reviewed]
        return self._ask(pull, missing, pauses) if missing else pull

    def _add(self, side_matter: _SideMatter, pull: Json, draft: PullRequestDraft, pauses: tuple[float, ...]) -> Json:
        try:
            return side_matter(pull, draft)
        except RefusedError as error:
            if error.answer.status not in _LASTING:
                raise
            if error.answer.status != 404 or not pauses:
                logger.warning("pull request #{} goes without: {}", pull["number"], error)
                return pull
        self._api.timing.sleep(pauses[0])
        return self._add(side_matter, pull, draft, pauses[1:])

    def _label(self, pull: Json, draft: PullRequestDraft) -> Json:
        """Adds to what is there at that moment: a whole list would take away what a person added meanwhile."""
        there = label_names(pull)
        lower = {name.lower() for name in there}
        wanted = dict.fromkeys(name for name in map(written_label, draft.labels) if name)
        new = [name for name in wanted if name.lower() not in lower][: _LABELS_MAX - len(there)]
        for name in new:
            self._labels.ensure_label(name)
        if not new:
            return pull
        path = f"/issues/{pull['number']}/labels"
        labels = self._api.change(f"label pull request #{pull['number']}", path, {"labels": new}, verb="POST")
        reach("github.pull-request-labelled")
        return {**pull, "labels": labels}

    def _set_milestone(self, pull: Json, draft: PullRequestDraft) -> Json:
        if not draft.milestone or pull.get("milestone"):
            return pull
        number = self._labels.find_milestone(draft.milestone, creates=draft.creates_milestone)
        if number is None:
            return pull
        what = f"set the milestone of pull request #{pull['number']}"
        return with_issue(pull, self._api.change(what, f"/issues/{pull['number']}", {"milestone": number}))

    def _assign(self, pull: Json, draft: PullRequestDraft) -> Json:
        """One request for all; GitHub leaves out who has no access."""
        absent = _not_assigned(pull, draft)
        if not absent:
            return pull
        what, path = f"assign people to pull request #{pull['number']}", f"/issues/{pull['number']}/assignees"
        pull = with_issue(pull, self._api.change(what, path, {"assignees": absent}, verb="POST"))
        if left_out := _not_assigned(pull, draft):
            logger.warning("GitHub does not assign {} to #{}: no access", ", ".join(left_out), pull["number"])
        return pull

    def _unasked(self, pull: Json, draft: PullRequestDraft) -> list[str]:
        author = ((pull.get("user") or {}).get("login") or "").lower()
        asked = {one["login"].lower() for one in pull.get("requested_reviewers") or ()}
        asked |= {one["slug"].lower() for one in pull.get("requested_teams") or ()}
        return [name for name in draft.reviewers if name.rpartition("/")[2].lower() not in asked | {author}]

    def _ask(self, pull: Json, names: list[str], pauses: tuple[float, ...]) -> Json:
        """One request for all; GitHub fails it for one bad name, so then each is asked alone."""
        what = f"request reviews of pull request #{pull['number']}"
        users = [name for name in names if "/" not in name]
        teams = [name.rpartition("/")[2] for name in names if "/" in name]
        body = {key: value for key, value in (("reviewers", users), ("team_reviewers", teams)) if value}
        try:
            answer: Json = self._api.change(what, f"/pulls/{pull['number']}/requested_reviewers", body, verb="POST")
        except RefusedError as error:
            if error.answer.status not in _LASTING:
                raise
            if error.answer.status == 404 and pauses:
                self._api.timing.sleep(pauses[0])
                return self._ask(pull, names, pauses[1:])
            if len(names) == 1:
                logger.warning("{}: {} is left out: {}", what, names[0], error.answer.message)
                return pull
            for name in names:
                pull = self._ask(pull, [name], ())
            return pull
        reach("github.reviewers-asked")
        return {**pull, **{key: answer[key] for key in ("requested_reviewers", "requested_teams", "updated_at")}}

    def _reviewers(self, pull: Json) -> set[str]:
        what, path = f"look at the reviews of pull request #{pull['number']}", f"/pulls/{pull['number']}/reviews"
        users = (review["user"] for page in self._api.pages(what, path) for review in page)
        return {user["login"].lower() for user in users if user}


def _not_assigned(pull: Json, draft: PullRequestDraft) -> list[str]:
    assigned = {one["login"].lower() for one in pull.get("assignees") or ()}
    return [name for name in draft.assignees if name.lower() not in assigned]
