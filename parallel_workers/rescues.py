"""What a rescue ref saved, its name, and the texts that say how to get it back."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from parallel_workers.identity import RESCUE_REF_PREFIX
from parallel_workers.worktree_contents import OwnRef, Stash, StoppedOperation

_TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"
_NO_REF_CHARACTER = re.compile(r"[^A-Za-z0-9/_-]+")


class SavedFile(NamedTuple):
    """A file as it lay in the worktree. Mode 000000: deleted.

    `kind` is staged (and not changed since), changed, conflicted, untracked or ignored.
    """

    kind: str
    path: str
    mode: str
    sha: str


class SavedEntry(NamedTuple):
    """What the index had for a path and HEAD had not; stages 1 to 3 are those of a conflict."""

    path: str
    mode: str
    sha: str
    stage: int


class Rescue(NamedTuple):
    """One rescue ref: `commit` is what it points to, on top of `head_sha` ('' when there was no commit yet)."""

    name: str
    commit: str
    saved_at: datetime
    worker: str | None
    branch: str | None
    worktree: str
    head_sha: str
    what: tuple[str, ...]
    files: tuple[SavedFile, ...] = ()
    entries: tuple[SavedEntry, ...] = ()
    stashes: tuple[Stash, ...] = ()
    operation: StoppedOperation | None = None
    own_refs: tuple[OwnRef, ...] = ()
    sparse: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """The full name of the ref."""
        return f"{RESCUE_REF_PREFIX}{self.name}"

    @property
    def uncommitted(self) -> bool:
        """Whether it holds more than commits."""
        return bool(self.files or self.entries)


class RestoredRescue(NamedTuple):
    """What `rescue restore` made. `worktree` is None when only a branch was asked for.

    `under_way` is the operation that git can go on with in the worktree: `rebase`, `merge` … or ''.
    """

    name: str
    branch: str
    head_sha: str
    worktree: Path | None
    under_way: str = ""


def rescue_name(owner: str, now: datetime) -> str:
    """`<owner>/<utc time>`, to the microsecond; `owner` is a worker, a branch or a folder."""
    cleaned = "/".join(filter(None, _NO_REF_CHARACTER.sub("-", owner).split("/"))) or "worktree"
    return f"{cleaned}/{now:{_TIME_FORMAT}}"


def rescue_ref(owner: str, now: datetime) -> str:
    """`refs/parallel-workers/rescue/<owner>/<utc time>`."""
    return f"{RESCUE_REF_PREFIX}{rescue_name(owner, now)}"


def short_name(ref_or_name: str) -> str:
    """What the `rescue` verbs call it: the ref without its prefix."""
    return ref_or_name.removeprefix(RESCUE_REF_PREFIX)


def parse_time(name: str) -> datetime | None:
    """When a rescue ref was made, as its name says it."""
    try:
        return datetime.strptime(name.rpartition("/")[2], _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


def default_branch(name: str) -> str:
    """The branch `rescue restore` makes when none is named: `rescued/<owner>-<utc time>`."""
    return f"rescued/{name.replace('/', '-').replace('.', '')}"


def restore_command(name: str, repository: Path | str, worktree: Path | str) -> str:
    """A line to paste that brings a rescue back, beside the old place of `worktree`, where nothing is yet."""
    place = worktree or Path.home() / name.rpartition("/")[2]
    more = (f"{place}-rescued-{number}" for number in itertools.count(2))
    free = next(one for one in itertools.chain([f"{place}-rescued"], more) if not os.path.lexists(one))
    command = ("parallel-workers", "rescue", "restore", name, "--worktree", free)
    return shlex.join((*command, "--repository", str(repository)))


def way_back(ref: str, repository: Path | str, worktree: Path) -> str:
    """What every removal says of what it saved: where it is, and the command that brings it back."""
    command = restore_command(short_name(ref), repository, worktree)
    return f"saved as {ref}; get it back with: {command} (more in docs/rescue.md)"
