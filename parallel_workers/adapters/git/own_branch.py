"""The branch a worker's commits belong on, held against what its agent did to it: deleted, left, taken away."""

from __future__ import annotations

from pathlib import Path

from loguru import logger

from parallel_workers.adapters.git.layout import branch_ref, find_linked, read_head, read_last_head, read_ref
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.remotes import pushed_ref
from parallel_workers.adapters.git.stopped_operations import find_operation
from parallel_workers.errors import AgentFailedError

_ENDED_WITH_CONTINUE = frozenset({"rebase", "sequence of picks"})


def hold_branch(opened: OpenedRepository, worktree: Path, branch: str) -> None:
    """Return if the worktree has `branch` checked out; one that was deleted under it comes back where it was.

    Raises:
        AgentFailedError: the worktree is gone, or on another branch. Nothing was changed; the message has the way out.
    """
    linked = find_linked(opened.common_dir, worktree)
    if linked is None or not worktree.is_dir():
        raise AgentFailedError(
            f"the agent removed its own worktree {worktree}: what it had not committed is gone with it, what it "
            f"committed is on {branch}. Run the batch again to go on from there"
        )
    # read now: the agent may have switched since the repository was opened
    found = read_head(linked.admin)
    if found != branch:
        raise AgentFailedError(_describe_stray(opened, linked.admin, worktree, branch))
    if read_ref(opened.common_dir, branch_ref(branch)) is None:
        _bring_back(opened, linked.admin, worktree, branch)


def _bring_back(opened: OpenedRepository, git_dir: Path, worktree: Path, branch: str) -> None:
    for sha in filter(None, (read_last_head(git_dir), read_ref(opened.common_dir, pushed_ref(branch)))):
        if opened.ask("cat-file", "-e", f"{sha}^{{commit}}").code == 0:
            opened.git("update-ref", branch_ref(branch), sha, "")
            logger.warning("branch {} was deleted by its agent and is back at {}", branch, sha)
            return
    raise AgentFailedError(
        f"the agent deleted its branch {branch}, and no record says where it was. Make it again where it belongs: "
        f"git -C '{worktree}' branch {branch} COMMIT"
    )


def _describe_stray(opened: OpenedRepository, git_dir: Path, worktree: Path, branch: str) -> str:
    found = read_head(git_dir)
    operation = find_operation(git_dir)
    there = f"the agent left {worktree} on {found or 'a detached HEAD'}, not on {branch}"
    git = f"git -C '{worktree}'"
    ours = read_ref(opened.common_dir, branch_ref(branch))
    if operation is not None and operation.name in _ENDED_WITH_CONTINUE:
        verb = "rebase" if operation.name == "rebase" else "cherry-pick"
        way_out = f"A {operation.name} is under way there; end it: {git} {verb} --continue, or {verb} --abort"
    elif ours is None and found is not None:
        way_out = f"That branch is gone. If {found} is it by another name: {git} branch --move {found} {branch}"
    elif ours is None or _contains_head(opened, git_dir, found, ours):
        way_out = f"If what is there is the task's work: {git} switch --force-create {branch}"
        way_out += f". If not: {git} switch {branch}" if ours else ""
    else:
        taken = found or (read_ref(git_dir, "HEAD") or "")[:12]
        way_out = f"Go back with: {git} switch {branch}, and take what is there, if it is needed: {git} merge {taken}"
    return f"{there}. Nothing was committed, pushed or removed. {way_out}. Then run the batch again"


def _contains_head(opened: OpenedRepository, git_dir: Path, found: str | None, ours: str) -> bool:
    """Whether what is checked out has all commits of the worker's branch."""
    there = read_ref(git_dir, "HEAD") if found is None else read_ref(opened.common_dir, branch_ref(found))
    return bool(there) and opened.ask("merge-base", "--is-ancestor", ours, str(there)).code == 0
