"""Removes all that a merged worker leaves: its worktree, its branch here and on the remote, its marks."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger

from parallel_workers.adapters.git.content_in_base import is_content_in_base
from parallel_workers.adapters.git.layout import branch_ref, find_linked, linked_worktrees, read_head, read_ref
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.remotes import delete_remote_branch, pushed_ref
from parallel_workers.adapters.git.removal import remove_linked
from parallel_workers.adapters.git.rescue import save_commits
from parallel_workers.adapters.git.saving import saved_or_kept
from parallel_workers.crash_points import reach
from parallel_workers.decisions.removal import Care
from parallel_workers.errors import BaseBranchError, GitCommandError, ParallelWorkersError
from parallel_workers.identity import worker_ref
from parallel_workers.rescues import way_back
from parallel_workers.worktrees import WorktreePlan

FetchBase = Callable[[str], str]
"""The commit of a base branch as its remote has it now; without a remote as it is here."""


def remove_worker(
    opened: OpenedRepository, fetch_base: FetchBase, plan: WorktreePlan, head_sha: str, *, was_pushed: bool
) -> str | None:
    """Remove all that a merged worker leaves; the rescue ref, if it left something that is not in the base.

    The worktree goes; the branch goes, on the remote where it is still at `head_sha`, and here where nothing is on it
    that `head_sha` has not. `was_pushed`: it was, even if this machine knows nothing of it. Again is harmless.
    """
    rescued = _remove_workers_worktree(opened, plan)
    reach("removal.worktree-removed")
    # before the refs: while the pushed ref is there, a second run knows that the remote has to be asked
    if was_pushed or read_ref(opened.common_dir, pushed_ref(plan.branch)) is not None:
        delete_remote_branch(opened, plan.branch, head_sha)
    reach("removal.remote-branch-deleted")
    if _is_going(opened, plan, head_sha) and not _is_merged(opened, fetch_base, plan, head_sha):
        with saved_or_kept(f"branch {plan.branch}"):
            saved = save_commits(opened, plan.worker, plan.branch, head_sha)
        logger.warning("{}: {}", plan.worker, way_back(saved, opened.path, plan.path))
        rescued = rescued or saved
    _delete_refs(opened, plan, head_sha)
    return rescued


def _remove_workers_worktree(opened: OpenedRepository, plan: WorktreePlan) -> str | None:
    linked = find_linked(opened.common_dir, plan.path)
    if linked is not None and linked.worker != plan.worker:
        logger.warning("the worktree at {} was not made for {}, and is kept", plan.path, plan.worker)
        linked = None
    if linked is None:
        return None
    try:
        rescue_ref = remove_linked(opened, linked, Care.SAVE_WORK)
    except (ParallelWorkersError, OSError) as kept:
        # the work is merged: what is left over is kept and named, and is no failure of the worker
        logger.warning("{}", kept)
        return None
    if rescue_ref:
        logger.warning("{}: {}", plan.worker, way_back(rescue_ref, opened.path, plan.path))
    return rescue_ref


def _is_going(opened: OpenedRepository, plan: WorktreePlan, head_sha: str) -> bool:
    """Whether the branch will be deleted: what was merged has all of it, and nobody has it checked out."""
    branch_sha = read_ref(opened.common_dir, branch_ref(plan.branch))
    return branch_sha is not None and _is_in(opened, branch_sha, head_sha) and not _is_checked_out(opened, plan.branch)


def _is_merged(opened: OpenedRepository, fetch_base: FetchBase, plan: WorktreePlan, head_sha: str) -> bool:
    """Whether the base has all of it by content: as the remote has it now, whatever was fetched or merged here."""
    if head_sha == read_ref(opened.common_dir, worker_ref(plan.worker)):
        return True  # it never had a commit of its own
    try:
        base = fetch_base(plan.base_branch)
    except (BaseBranchError, GitCommandError) as error:
        logger.debug("{} was not fetched: {}", plan.base_branch, error)
        return False
    return is_content_in_base(opened, base, head_sha, plan.base_sha)


def _delete_refs(opened: OpenedRepository, plan: WorktreePlan, head_sha: str) -> None:
    """Branch, mark and push record in one transaction."""
    lines = []
    branch_sha = read_ref(opened.common_dir, branch_ref(plan.branch))
    if branch_sha and _is_going(opened, plan, head_sha):
        lines.append(f"delete {branch_ref(plan.branch)} {branch_sha}\n")
    elif branch_sha is not None:
        logger.warning(
            "branch {} is kept: it is at {}, or checked out, and not only at {}", plan.branch, branch_sha, head_sha
        )
    marks = (worker_ref(plan.worker), pushed_ref(plan.branch))
    lines.extend(f"delete {ref}\n" for ref in marks if read_ref(opened.common_dir, ref) is not None)
    if lines:
        opened.git("update-ref", "--stdin", stdin="".join(lines))
    reach("removal.refs-deleted")


def _is_in(opened: OpenedRepository, sha: str, head_sha: str) -> bool:
    """Whether `head_sha` has all of `sha`: a reviewer may have added to what was pushed. One not here has nothing."""
    return sha == head_sha or opened.ask("merge-base", "--is-ancestor", sha, head_sha).code == 0


def _is_checked_out(opened: OpenedRepository, branch: str) -> bool:
    if not opened.bare and read_head(opened.common_dir) == branch:
        return True
    return any(entry.branch == branch for entry in linked_worktrees(opened.common_dir))
