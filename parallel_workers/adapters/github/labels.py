"""Labels and milestones: found by name, made when they are missing."""

from __future__ import annotations

import hashlib
import threading
from urllib.parse import quote

from loguru import logger

from parallel_workers.adapters.github.answers import RefusedError
from parallel_workers.adapters.github.api import RepositoryApi
from parallel_workers.adapters.github.retries import write_once
from parallel_workers.crash_points import reach

NAME_MAX_CHARS = 50
COLOURS = {"phase:": "5319e7", "type:": "1d76db", "parallel-workers:": "d93f0b"}
"""By the beginning of a label's name; others get one of `_OTHERS` by their name."""

_OTHERS = ("0e8a16", "fbca04", "006b75", "c5def5", "bfdadc", "e99695", "f9d0c4", "d4c5f9")
_ALREADY = "already_exists"


def colour_of(label: str) -> str:
    """Six hex digits, always the same for a name."""
    for beginning, colour in COLOURS.items():
        if label.lower().startswith(beginning):
            return colour
    return _OTHERS[hashlib.sha256(label.lower().encode()).digest()[0] % len(_OTHERS)]


def written_label(label: str) -> str:
    """The name as GitHub takes it: one line, at most 50 characters."""
    return " ".join(label.split())[:NAME_MAX_CHARS].rstrip()


class Labels:
    """The repository's labels and milestones, as far as we have met them."""

    def __init__(self, api: RepositoryApi) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._milestones: dict[str, int] = {}

    def ensure_label(self, label: str) -> None:
        """Make the label, with its colour, unless there is one of this name in whatever case."""
        with self._lock:
            if label.lower() in self._known:
                return
            self._ensure(label)
            self._known.add(label.lower())

    def find_milestone(self, title: str, *, creates: bool) -> int | None:
        """Number of the milestone with this title, open or closed; made when asked to, else None with a warning."""
        with self._lock:
            number = self._milestones.get(title) or self._look_for_milestone(title)
            if number is None and creates:
                number = write_once(
                    lambda: self._create_milestone(title), lambda: self._look_for_milestone(title), self._api.timing
                )
            if number is None:
                logger.warning(
                    "{} has no milestone {!r}: it is left out; make it there, or set pull_request.create_milestone",
                    self._api.place,
                    title,
                )
            else:
                self._milestones[title] = number
            return number

    def _ensure(self, label: str) -> None:
        what = f"make the label {label!r}"
        # the name of a folder in a URL is never sent
        if label not in {".", ".."} and self._api.find(what, f"/labels/{quote(label, safe='')}") is not None:
            return
        body = {"name": label, "color": colour_of(label)}

        def create() -> bool:
            answer = self._api.create(what, "/labels", body)
            # somebody else was quicker, or the answer to our first try was lost
            if not answer.is_good and not answer.names(_ALREADY):
                raise RefusedError(what, answer)
            reach("github.label-created")
            return True

        write_once(create, lambda: None, self._api.timing)

    def _look_for_milestone(self, title: str) -> int | None:
        """The one of exactly this title, else the first in another letter case."""
        other: int | None = None
        for page in self._api.pages(f"look for the milestone {title!r}", "/milestones", {"state": "all"}):
            for milestone in page:
                if milestone["title"] == title:
                    return int(milestone["number"])
                if other is None and milestone["title"].lower() == title.lower():
                    other = int(milestone["number"])
        return other

    def _create_milestone(self, title: str) -> int | None:
        what = f"make the milestone {title!r}"
        answer = self._api.create(what, "/milestones", {"title": title})
        if answer.is_good:
            reach("github.milestone-created")
            return int(answer.body["number"])
        if answer.names(_ALREADY):
            return self._look_for_milestone(title)
        raise RefusedError(what, answer)
