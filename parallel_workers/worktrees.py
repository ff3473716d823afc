"""Values about worktrees."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class WorktreePlan(NamedTuple):
    """A worktree that should exist: `branch` at `base_sha`, checked out at `path`, owned by `worker`.

    `paths` are folders for a sparse checkout (cone mode); empty means everything. `keep_ignored` are patterns,
    as in .gitignore, of ignored files that are saved before the worktree is removed.
    """

    worker: str
    branch: str
    base_branch: str
    base_sha: str
    path: Path
    paths: tuple[str, ...] = ()
    keep_ignored: tuple[str, ...] = ()


class ForgottenWorktree(NamedTuple):
    """A worktree whose folder was gone; the rescue ref has what git still knew of it, such as staged files."""

    path: Path
    rescue_ref: str | None


class Worktree(NamedTuple):
    """A linked worktree as `git worktree list` tells it. `branch` is None when HEAD is detached."""

    path: Path
    head_sha: str
    branch: str | None
    locked: bool = False
    prunable: bool = False
    worker: str | None = None


class EnsuredWorktree(NamedTuple):
    """What `ensure_worktree` found or made. `base_sha` is the one the branch really started from."""

    path: Path
    branch: str
    base_sha: str
    adopted: bool


class WorktreeStatus(NamedTuple):
    """What a worktree holds beyond its base. Paths are relative to the worktree."""

    path: Path
    branch: str | None
    head_sha: str
    commits_ahead: int
    changed: tuple[str, ...]
    untracked: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether everything in the worktree is committed."""
        return not self.changed and not self.untracked


class Joined(NamedTuple):
    """A branch after others' commits were taken in. `conflicts` are files left with markers, the merge unfinished.

    `their_sha` is the commit that is in it now, or will be when the merge is concluded; '' when there was none.
    """

    head_sha: str
    conflicts: tuple[str, ...] = ()
    their_sha: str = ""


class Commit(NamedTuple):
    """One commit of a branch: full sha and subject line."""

    sha: str
    subject: str


class BranchWork(NamedTuple):
    """What a branch adds to its base: commits oldest first, files changed, lines added and deleted."""

    head_sha: str
    commits: tuple[Commit, ...]
    files_changed: int
    insertions: int
    deletions: int
    diff_stat: str
