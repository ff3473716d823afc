"""What a worktree and a branch hold beyond their base, and committing it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from loguru import logger

from parallel_workers.adapters.git.command import checked
from parallel_workers.adapters.git.layout import branch_ref, read_head, read_ref
from parallel_workers.adapters.git.opened import OpenedRepository, WorktreeLocation
from parallel_workers.errors import GitCommandError, UsageError
from parallel_workers.worktrees import BranchWork, Commit, WorktreeStatus

_NOTHING_TO_COMMIT = ("nothing to commit", "nothing added to commit", "no changes added to commit")
_STALE_LOCK_SECONDS = 30.0
_SHORT_STAT = re.compile(r"(\d+) (file|insertion|deletion)")


class ParsedStatus(NamedTuple):
    """`git status --porcelain=v2 -z --branch`, taken apart. `head_sha` is '' on an unborn branch."""

    head_sha: str
    branch: str | None
    changed: tuple[str, ...]
    untracked: tuple[str, ...]


def parse_status(text: str) -> ParsedStatus:
    """Take the porcelain v2 format apart (git help status, made with -z and without renames)."""
    head_sha, branch = "", None
    changed: list[str] = []
    untracked: list[str] = []
    for entry in filter(None, text.split("\0")):
        kind, _, rest = entry.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            if name == "branch.oid" and value != "(initial)":
                head_sha = value
            elif name == "branch.head" and value != "(detached)":
                branch = value
        elif kind == "?":
            untracked.append(rest)
        elif kind == "1":
            changed.append(rest.split(" ", 7)[7])
        elif kind == "u":
            changed.append(rest.split(" ", 9)[9])
    return ParsedStatus(head_sha, branch, tuple(changed), tuple(untracked))


def read_status(opened: OpenedRepository, location: WorktreeLocation) -> ParsedStatus:
    """One look at a worktree, without touching its index: an agent may be at work in it."""
    # inside an initialised submodule lies work too, and its git directory goes with the worktree
    submodules = "none" if (location.git_dir / "modules").exists() else "dirty"
    text = opened.git_in(
        location,
        "status",
        "--porcelain=v2",
        "-z",
        "--branch",
        "--no-ahead-behind",
        "--no-renames",
        "--untracked-files=normal",
        f"--ignore-submodules={submodules}",
        env={"GIT_OPTIONAL_LOCKS": "0"},
    )
    return parse_status(text)


def get_status(opened: OpenedRepository, worktree: Path, base_sha: str) -> WorktreeStatus:
    """What the worktree holds beyond `base_sha`.

    Raises:
        UsageError: `worktree` is no worktree of this repository.
    """
    location = opened.locate(worktree)
    status = read_status(opened, location)
    ahead = 0
    if status.head_sha and status.head_sha != base_sha:
        ahead = int(opened.git("rev-list", "--count", f"{base_sha}..{status.head_sha}", "--"))
    return WorktreeStatus(location.path, status.branch, status.head_sha, ahead, status.changed, status.untracked)


def commit_all(opened: OpenedRepository, worktree: Path, message: str) -> str | None:
    """Commit everything but ignored files; the new commit's sha, or None when there was nothing.

    Raises:
        UsageError: `worktree` is no worktree of this repository.
    """
    location = opened.locate(worktree)
    # --sparse: an agent may write outside the folders it was given, and its work is not to be lost
    remove_stale_lock(location)
    opened.git_in(location, "add", "--all", "--sparse", "--", ":/")
    arguments = ("commit", "--quiet", "--no-verify", "--cleanup=whitespace", "--file=-")
    output = opened.ask_in(location, *arguments, stdin=message)
    if output.code == 1 and any(mark in output.stdout for mark in _NOTHING_TO_COMMIT):
        return None
    checked(output, arguments)
    return _head_sha(opened, location)


def remove_stale_lock(location: WorktreeLocation) -> None:
    """Remove the lock of a git that was killed together with its agent: git would ask the user to delete it."""
    lock = location.git_dir / "index.lock"
    try:
        age_seconds = time.time() - lock.stat().st_mtime
    except FileNotFoundError:
        return
    if location.linked is not None and age_seconds > _STALE_LOCK_SECONDS:
        logger.warning("removed {}: the git that held it has been gone for {:.0f} s", lock, age_seconds)
        lock.unlink(missing_ok=True)


def read_unmerged(opened: OpenedRepository, location: WorktreeLocation) -> dict[str, set[str]]:
    """Paths in conflict as the index has them, each with its stages: 1 common, 2 ours, 3 theirs."""
    stages: dict[str, set[str]] = {}
    for entry in filter(None, opened.git_in(location, "ls-files", "--unmerged", "-z", "--full-name").split("\0")):
        facts, _, path = entry.partition("\t")
        stages.setdefault(path, set()).add(facts.rpartition(" ")[2])
    return stages


def get_branch_work(opened: OpenedRepository, branch: str, base_sha: str) -> BranchWork:
    """The commits and changes of `branch` since it left `base_sha`'s history.

    Raises:
        UsageError: there is no such branch.
    """
    head_sha = read_ref(opened.common_dir, branch_ref(branch))
    if head_sha is None:
        raise UsageError(f"{opened.path} has no branch {branch}")
    if head_sha == base_sha:
        return BranchWork(head_sha, (), 0, 0, 0, "")
    # rev-list and diff-tree, not log and diff: those obey config that can name programs (log.showSignature)
    listed = opened.git(
        "rev-list", "--reverse", "--no-commit-header", "--format=%H%x00%s", f"{base_sha}..{head_sha}", "--"
    )
    commits = tuple(Commit(*line.split("\0", 1)) for line in listed.split("\n") if line)
    if not commits:
        return BranchWork(head_sha, (), 0, 0, 0, "")
    stat = opened.git(
        "diff-tree", "--merge-base", "--stat=100", "-M", "--no-ext-diff", "--no-textconv", base_sha, head_sha, "--"
    )
    totals = dict(parse_totals(stat))
    return BranchWork(
        head_sha, commits, totals.get("file", 0), totals.get("insertion", 0), totals.get("deletion", 0), stat
    )


def parse_totals(stat: str) -> Iterator[tuple[str, int]]:
    """The numbers of the last line of `git diff --stat`, as pairs like `("insertion", 3)`."""
    last = stat.rstrip().rpartition("\n")[2]
    return ((match[2], int(match[1])) for match in _SHORT_STAT.finditer(last))


def _head_sha(opened: OpenedRepository, location: WorktreeLocation) -> str:
    branch = read_head(location.git_dir)
    if branch is not None and (sha := read_ref(opened.common_dir, branch_ref(branch))) is not None:
        return sha
    if (sha := read_ref(location.git_dir, "HEAD")) is None:
        raise GitCommandError(("commit",), 0, "", f"{location.path} has no HEAD after a commit")
    return sha
