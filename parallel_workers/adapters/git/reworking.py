"""Brings a worker's branch up to what others have put on the remote, and its base into it, without losing a commit."""

from __future__ import annotations

from pathlib import Path

from loguru import logger

from parallel_workers.adapters.git.command import GitOutput, checked
from parallel_workers.adapters.git.commits import commit_all, read_unmerged, remove_stale_lock
from parallel_workers.adapters.git.inspection import inspect_worktree
from parallel_workers.adapters.git.layout import branch_ref, read_ref
from parallel_workers.adapters.git.opened import OpenedRepository, WorktreeLocation
from parallel_workers.adapters.git.remotes import pushed_ref
from parallel_workers.adapters.git.rescue import save_work
from parallel_workers.decisions.removal import describe_contents
from parallel_workers.errors import RewrittenBranchError, UsageError
from parallel_workers.rescues import way_back
from parallel_workers.worktrees import Joined

_MERGE = (
    *("-c", "rerere.enabled=false", "-c", "merge.conflictStyle=merge"),
    *("merge", "--quiet", "--ff", "--no-edit", "--no-verify", "--no-verify-signatures", "--no-autostash", "--no-stat"),
)
_LEFTOVER = ": leftover conflict marker"


def join_remote(opened: OpenedRepository, worktree: Path, branch: str, there: str, pushed_sha: str) -> Joined:
    """Take in what the remote's branch (at `there`, fetched) has and ours has not; see `ports.GitRepository`.

    Raises:
        RewrittenBranchError: it no longer holds what we pushed. Nothing was changed.
    """
    location = _locate(opened, worktree, branch)
    ours = read_head_sha(opened, branch)
    if there == ours or _contains(opened, ours, there):
        return Joined(ours, (), there)
    pushed = read_ref(opened.common_dir, pushed_ref(branch))
    known = [sha for sha in (pushed_sha, pushed) if sha]
    if not all(_contains(opened, there, sha) for sha in known or [ours]):
        raise RewrittenBranchError(branch, there, known[0] if known else ours)
    logger.info("{} has new commits on the remote, up to {}; they are taken in", branch, there[:12])
    return _merge(opened, location, branch, there, f"Merge the remote's {branch}")


def join_base(opened: OpenedRepository, worktree: Path, branch: str, base: tuple[str, str]) -> Joined:
    """Merge the base, as (branch name, sha), into the worktree's branch; see `ports.GitRepository`."""
    location = _locate(opened, worktree, branch)
    name, sha = base
    ours = read_head_sha(opened, branch)
    merging = read_ref(location.git_dir, "MERGE_HEAD")
    if merging == sha:
        # an earlier run was ended in the middle of this very merge: what its agent solved already is kept
        return Joined(ours, find_conflicts(opened, worktree, sha), sha)
    if merging is None and _contains(opened, ours, sha):
        # merged by an earlier run, whose agent may have committed the markers too
        return Joined(ours, find_conflicts(opened, worktree, sha), sha)
    return _merge(opened, location, branch, sha, f"Merge branch '{name}' into {branch}")


def find_conflicts(opened: OpenedRepository, worktree: Path, base_sha: str) -> tuple[str, ...]:
    """Files that still are in conflict: with markers that `base_sha` does not have, or undecided in the index.

    A text file without markers counts as solved, added to the index or not. A file that one side deleted, or that
    is no text, has no markers: it is solved when it was added or removed.
    """
    location = opened.locate(worktree)
    undecided = [
        path
        for path, stages in read_unmerged(opened, location).items()
        if not {"2", "3"} <= stages or not _is_text(location.path / path)
    ]
    options = ("--check", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color", "--ignore-submodules=all")
    said = opened.ask_in(location, "diff", *options, base_sha, "--").stdout
    found = (line.removesuffix(_LEFTOVER).rpartition(":") for line in said.splitlines() if line.endswith(_LEFTOVER))
    marked = [path for path, _, line in found if _begins_or_ends(location.path / path, int(line))]
    return tuple(sorted({*undecided, *marked}))


def find_fork(opened: OpenedRepository, branch: str, base_sha: str) -> str:
    """The newest commit of the base that `branch` has: what its own changes are to be compared with."""
    return opened.git("merge-base", base_sha, branch_ref(branch))


def _merge(opened: OpenedRepository, location: WorktreeLocation, branch: str, sha: str, message: str) -> Joined:
    _put_away(opened, location)
    arguments = (*_MERGE, "-m", message, sha)
    output = opened.ask_in(location, *arguments)
    files = tuple(sorted(read_unmerged(opened, location)))
    if output.code == 1 and files:
        return Joined(read_head_sha(opened, branch), files, sha)
    _undo_half(opened, location, output)
    checked(output, arguments)
    return Joined(read_head_sha(opened, branch), (), sha)


def _put_away(opened: OpenedRepository, location: WorktreeLocation) -> None:
    """What an ended agent left uncommitted is committed; half of another merge is saved to a rescue ref and undone."""
    remove_stale_lock(location)
    if read_ref(location.git_dir, "MERGE_HEAD") is not None:
        if location.linked is not None:
            found = inspect_worktree(opened, location.linked, location.path)
            ref = save_work(opened, found, describe_contents(found.contents))
            saved = way_back(ref, opened.path, location.path)
            logger.warning("{}: a merge that was begun is undone, what it had is {}", location.path, saved)
        opened.git_in(location, "merge", "--abort")
    commit_all(opened, location.path, "chore: keep what was left uncommitted before a merge\n")


def _undo_half(opened: OpenedRepository, location: WorktreeLocation, output: GitOutput) -> None:
    """A merge that failed for another reason than a conflict leaves nothing behind."""
    if output.code != 0 and read_ref(location.git_dir, "MERGE_HEAD") is not None:
        opened.ask_in(location, "merge", "--abort")


def _contains(opened: OpenedRepository, sha: str, part: str) -> bool:
    """Whether `part` is in the history of `sha`; a commit that is not here at all is not."""
    return opened.ask("merge-base", "--is-ancestor", part, sha).code == 0


def read_head_sha(opened: OpenedRepository, branch: str) -> str:
    """Where the branch is. Raises UsageError when there is none."""
    sha = read_ref(opened.common_dir, branch_ref(branch))
    if sha is None:
        raise UsageError(f"{opened.path} has no branch {branch}")
    return sha


def _locate(opened: OpenedRepository, worktree: Path, branch: str) -> WorktreeLocation:
    location = opened.locate(worktree)
    if location.branch != branch:
        raise UsageError(
            f"{worktree} is on {location.branch or 'a detached HEAD'}, not on {branch}; go back with: "
            f"git -C '{worktree}' switch {branch}"
        )
    return location


def _is_text(path: Path) -> bool:
    """As git tells it: no NUL among the first bytes. What is not there is none."""
    try:
        with path.open("rb") as stream:
            return b"\0" not in stream.read(8000)
    except OSError:
        return False


def _begins_or_ends(path: Path, number: int) -> bool:
    """Whether the line is a marker beyond doubt: seven equals signs also underline a heading."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return True
    return number > len(lines) or lines[number - 1][:1] in {b"<", b">"}
