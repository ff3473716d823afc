"""What git keeps in files, read without a process: refs and linked worktrees (git help repository-layout)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
BRANCHES = "refs/heads/"
_WORKER_FILE = "parallel-workers-worker"
_PATHS_FILE = "parallel-workers-paths"
_KEEP_IGNORED_FILE = "parallel-workers-keep-ignored"
_EXCLUDE_FILE = "parallel-workers-exclude"
_CHECKING_OUT_FILE = "parallel-workers-checking-out"
_NO_TEXT = re.compile("[\udc80-\udcff]")
"""A byte that is no UTF-8, as it was read; in a pattern `?` stands for it."""


class Move(NamedTuple):
    """One entry of a reflog: from which commit to which, and what git says did it."""

    old: str
    new: str
    message: str


class LinkedWorktree(NamedTuple):
    """One folder below `<common dir>/worktrees`. `branch` is None when HEAD is detached or half written."""

    admin: Path
    path: Path
    branch: str | None
    lock_reason: str | None

    @property
    def half_made(self) -> bool:
        """Whether the `git worktree add` that made it never came to its end."""
        return self.lock_reason == "initializing"

    @property
    def checked_out(self) -> bool:
        """Whether its files were once written completely: git writes the index last."""
        return (self.admin / "index").exists()

    @property
    def checking_out(self) -> bool:
        """Whether we began to write its files and did not come to the end: nobody has worked on them."""
        return (self.admin / _CHECKING_OUT_FILE).exists()

    def note_checking_out(self) -> None:
        """Remember that what lies there from now on is only ours."""
        (self.admin / _CHECKING_OUT_FILE).touch()

    def note_checked_out(self) -> None:
        """Remember that all files were written: from now on they may be somebody's work."""
        (self.admin / _CHECKING_OUT_FILE).unlink(missing_ok=True)

    @property
    def is_pointed_to(self) -> bool:
        """Whether the `.git` file in the folder leads back here, as git wrote it."""
        return _pointer(self.path) == self.admin

    @property
    def worker(self) -> str | None:
        """The worker this worktree was made for, as we noted it."""
        return _read(self.admin / _WORKER_FILE)

    def note_worker(self, worker: str) -> None:
        """Remember which worker this worktree was made for; the note goes when the worktree goes."""
        exclude = _read(self._shared_exclude) or ""
        (self.admin / _EXCLUDE_FILE).write_text(exclude, encoding="utf-8", errors="surrogateescape")
        (self.admin / _WORKER_FILE).write_text(worker, encoding="utf-8")

    @property
    def paths(self) -> tuple[str, ...]:
        """The folders its checkout was last confined to by us, as we noted it; () for all."""
        return tuple((_read(self.admin / _PATHS_FILE) or "").splitlines())

    def note_paths(self, paths: tuple[str, ...]) -> None:
        """Remember the folders, once git has them."""
        (self.admin / _PATHS_FILE).write_text("\n".join(paths), encoding="utf-8", errors="surrogateescape")

    @property
    def keep_ignored(self) -> tuple[str, ...]:
        """Patterns of ignored files that are to be saved before it is removed.

        They are those that we noted, and what `info/exclude` gained since the worktree was made: an agent can write
        there, and what it has hidden from git is not what the user wanted to be ignored.
        """
        noted = (_read(self.admin / _KEEP_IGNORED_FILE) or "").splitlines()
        at_first = _read(self.admin / _EXCLUDE_FILE)
        if at_first is None:
            return tuple(noted)
        known = frozenset(at_first.split("\n"))
        gained = (line for line in (_read(self._shared_exclude) or "").split("\n") if line not in known)
        return (*noted, *(_NO_TEXT.sub("?", line) for line in gained if line and line[0] not in "#!"))

    def note_keep_ignored(self, patterns: tuple[str, ...]) -> None:
        """Remember the patterns, for whatever verb removes the worktree later."""
        text = "\n".join(patterns)
        if text != (_read(self.admin / _KEEP_IGNORED_FILE) or ""):
            (self.admin / _KEEP_IGNORED_FILE).write_text(text, encoding="utf-8")

    @property
    def _shared_exclude(self) -> Path:
        return self.admin.parent.parent / "info" / "exclude"


def read_ref(common_dir: Path, ref: str) -> str | None:
    """The sha a full ref name points at, or None when there is no such ref."""
    content = _read(common_dir / ref)
    for _ in range(5):  # git's own limit for chains of symbolic refs
        if content is None or not content.startswith("ref: "):
            break
        ref = content.removeprefix("ref: ")
        content = _read(common_dir / ref)
    if content is not None and _SHA.fullmatch(content):
        return content
    return _read_packed_ref(common_dir, ref)


def branch_ref(branch: str) -> str:
    """`refs/heads/<branch>`."""
    return f"{BRANCHES}{branch}"


def read_head(git_dir: Path) -> str | None:
    """The branch that HEAD of a worktree's git directory names, or None when it is detached."""
    content = _read(git_dir / "HEAD") or ""
    target = content.removeprefix("ref: ")
    return target.removeprefix(BRANCHES) if content.startswith(f"ref: {BRANCHES}") else None


def read_log(file: Path) -> tuple[str, ...]:
    """The commits that a reflog tells of, oldest first; a ref that was deleted meanwhile is at none."""
    found = dict.fromkeys(sha for entry in read_moves(file) for sha in (entry.old, entry.new))
    return tuple(sha for sha in found if _SHA.fullmatch(sha) and sha.strip("0"))


def read_moves(file: Path) -> tuple[Move, ...]:
    """The entries of a reflog, oldest first."""
    # a line is `<old sha> <new sha> <who and when>\t<message>`; a sha is all zeros when there was none
    lines = [line.split(" ", 2) for line in (_read(file) or "").split("\n") if line.count(" ") > 1]
    return tuple(Move(old, new, rest.partition("\t")[2]) for old, new, rest in lines)


def read_last_head(git_dir: Path) -> str | None:
    """The commit that HEAD of a worktree was last moved to, by its reflog: known also when its branch is gone."""
    lines = (_read(git_dir / "logs" / "HEAD") or "").splitlines()
    # a line is `<old sha> <new sha> <who and when>\t<message>`; new is all zeros when the branch was deleted
    old_and_new = lines[-1].split(" ", 2)[:2] if lines and lines[-1].count(" ") > 1 else []
    return next((sha for sha in reversed(old_and_new) if _SHA.fullmatch(sha) and sha.strip("0")), None)


def linked_worktrees(common_dir: Path) -> tuple[LinkedWorktree, ...]:
    """All linked worktrees that name a folder, whether that folder exists or not."""
    try:
        admins = sorted((common_dir / "worktrees").iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(entry for admin in admins if (entry := _read_linked(admin)) is not None)


def find_linked(common_dir: Path, worktree: Path) -> LinkedWorktree | None:
    """The linked worktree of this repository whose folder is `worktree`, or None.

    The way goes over git's own note in the common directory: a worker can point the `.git` file in
    its worktree anywhere.
    """
    wanted = worktree.resolve()
    admin = _pointer(wanted)
    if admin is not None and admin.parent == common_dir / "worktrees":
        entry = _read_linked(admin)
        if entry is not None and entry.path == wanted:
            return entry
    return next((entry for entry in linked_worktrees(common_dir) if entry.path == wanted), None)


def _read_linked(admin: Path) -> LinkedWorktree | None:
    pointer = _read(admin / "gitdir")
    if not pointer:
        return None
    # git writes the real path; from 2.48 on it may be relative to the admin folder
    path = Path(os.path.normpath(admin / pointer)).parent
    return LinkedWorktree(admin, path, read_head(admin), _read(admin / "locked"))


def _pointer(worktree: Path) -> Path | None:
    """Where the `.git` file of a worktree points to; git >= 2.48 may write it relative to the worktree."""
    content = _read(worktree / ".git") or ""
    if not content.startswith("gitdir: "):
        return None
    return Path(os.path.normpath(worktree / content.removeprefix("gitdir: ")))


def _read_packed_ref(common_dir: Path, ref: str) -> str | None:
    packed = _read(common_dir / "packed-refs") or ""
    ending = f" {ref}"
    return next((line[: -len(ending)] for line in packed.splitlines() if line.endswith(ending)), None)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
