"""Removes worktrees and branches, and never what is saved nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

from loguru import logger

from parallel_workers.adapters.git.commits import ParsedStatus, read_status
from parallel_workers.adapters.git.layout import (
    LinkedWorktree,
    branch_ref,
    find_linked,
    linked_worktrees,
    read_head,
    read_ref,
)
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.remotes import delete_remote_branch, pushed_ref
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.adapters.git.rescue import save_work
from parallel_workers.crash_points import reach
from parallel_workers.errors import UnsavedWorkError, UsageError, WorktreeConflictError
from parallel_workers.identity import worker_ref
from parallel_workers.worktrees import WorktreePlan

_SHOWN_FILES = 5


def remove_worktree(opened: OpenedRepository, worktree: Path, *, force: bool) -> str | None:
    """Remove one linked worktree; the rescue ref its uncommitted work was saved to, if there was any.

    Raises:
        UnsavedWorkError: it holds uncommitted work and `force` is False.
        WorktreeConflictError: it is locked and `force` is False.
        UsageError: it is the main checkout, or no worktree of this repository.
    """
    linked = _find_removable(opened, worktree)
    if linked.lock_reason is not None and not force:
        raise WorktreeConflictError(
            f"{worktree} is locked ({linked.lock_reason or 'no reason given'}); "
            f"git worktree unlock '{worktree}', or remove it by force"
        )
    rescued = None
    if _has_files(linked):
        location = opened.locate_linked(linked)
        status = read_status(opened, location)
        loose = _loose_head(opened, status)
        if (status.changed or status.untracked or loose) and not force:
            raise UnsavedWorkError(_unsaved(worktree, status, loose))
        if status.changed or status.untracked or loose:
            rescued = save_work(opened, location, status)
    _remove(opened, linked)
    return rescued


def remove_worker(opened: OpenedRepository, plan: WorktreePlan, head_sha: str, *, was_pushed: bool) -> str | None:
    """Remove all that a merged worker leaves; the rescue ref, if it left something uncommitted.

    The worktree goes; the branch goes, on the remote where it is still at `head_sha`, and here where nothing is on it
    that `head_sha` has not. `was_pushed`: it was, even if this machine knows nothing of it. Again is harmless.
    """
    linked = find_linked(opened.common_dir, plan.path)
    if linked is not None and linked.worker != plan.worker:
        logger.warning("the worktree at {} was not made for {}, and is kept", plan.path, plan.worker)
        linked = None
    rescued = remove_worktree(opened, plan.path, force=True) if linked is not None else None
    reach("removal.worktree-removed")
    # before the refs: while the pushed ref is there, a second run knows that the remote has to be asked
    if was_pushed or read_ref(opened.common_dir, pushed_ref(plan.branch)) is not None:
        delete_remote_branch(opened, plan.branch, head_sha)
    reach("removal.remote-branch-deleted")
    _delete_refs(opened, plan, head_sha)
    reach("removal.refs-deleted")
    return rescued


def prune(opened: OpenedRepository, lock: RepositoryLock) -> tuple[Path, ...]:
    """Forget linked worktrees whose folder is gone, unless locked; the paths forgotten."""
    with lock.hold():
        gone = [
            entry
            for entry in linked_worktrees(opened.common_dir)
            if not entry.path.exists() and (entry.lock_reason is None or entry.half_made)
        ]
        for entry in gone:
            # not `git worktree prune`: that also forgets folders which only lost their .git file
            shutil.rmtree(entry.admin)
    return tuple(entry.path for entry in gone)


def _find_removable(opened: OpenedRepository, worktree: Path) -> LinkedWorktree:
    if worktree.is_symlink():
        raise UsageError(f"{worktree} is a symbolic link; name the worktree itself: {worktree.resolve()}")
    linked = find_linked(opened.common_dir, worktree)
    if linked is None:
        location = opened.locate(worktree)
        raise UsageError(f"{location.path} is the main checkout; only linked worktrees can be removed")
    return linked


def _has_files(linked: LinkedWorktree) -> bool:
    """Whether there can be work: a folder without an index was never handed to an agent."""
    return linked.path.is_dir() and linked.checked_out


def _loose_head(opened: OpenedRepository, status: ParsedStatus) -> bool:
    """Whether HEAD is detached at a commit that no ref would keep."""
    if status.branch is not None or not status.head_sha:
        return False
    kept = opened.git("for-each-ref", "--count=1", f"--contains={status.head_sha}", "--format=%(refname)")
    return not kept


def _unsaved(worktree: Path, status: ParsedStatus, loose: bool) -> str:  # noqa: FBT001 - one of three findings
    files = (*status.changed, *status.untracked)
    more = f" and {len(files) - _SHOWN_FILES} more" if len(files) > _SHOWN_FILES else ""
    what = ", ".join(files[:_SHOWN_FILES]) + more
    if loose:
        commit = f"commit {status.head_sha[:12]}, which is on no branch"
        what = f"{what}; {commit}" if what else commit
    return (
        f"{worktree} holds unsaved work: {what}. Commit it (git -C '{worktree}' add --all && "
        f"git -C '{worktree}' commit), or remove by force: it is then saved to a rescue ref first"
    )


def _remove(opened: OpenedRepository, linked: LinkedWorktree) -> None:
    if not linked.is_pointed_to:
        # git refuses a worktree whose .git file leads elsewhere; what it held is saved by now
        if linked.path.is_dir():
            shutil.rmtree(linked.path)
        shutil.rmtree(linked.admin)
        return
    # --force: git refuses any worktree with submodules without it; twice: also when locked
    force = ("--force", "--force") if linked.lock_reason is not None else ("--force",)
    opened.git("worktree", "remove", *force, "--", str(linked.path))


def _delete_refs(opened: OpenedRepository, plan: WorktreePlan, head_sha: str) -> None:
    """Branch, mark and push record in one transaction."""
    lines = []
    branch_sha = read_ref(opened.common_dir, branch_ref(plan.branch))
    if branch_sha and _is_in(opened, branch_sha, head_sha) and not _is_checked_out(opened, plan.branch):
        lines.append(f"delete {branch_ref(plan.branch)} {branch_sha}\n")
    elif branch_sha is not None:
        logger.warning(
            "branch {} is kept: it is at {}, or checked out, and not only at {}", plan.branch, branch_sha, head_sha
        )
    marks = (worker_ref(plan.worker), pushed_ref(plan.branch))
    lines.extend(f"delete {ref}\n" for ref in marks if read_ref(opened.common_dir, ref) is not None)
    if lines:
        opened.git("update-ref", "--stdin", stdin="".join(lines))


def _is_in(opened: OpenedRepository, sha: str, head_sha: str) -> bool:
    """Whether `head_sha` has all of `sha`: a reviewer may have added to what was pushed. One not here has nothing."""
    return sha == head_sha or opened.ask("merge-base", "--is-ancestor", sha, head_sha).code == 0


def _is_checked_out(opened: OpenedRepository, branch: str) -> bool:
    if not opened.bare and read_head(opened.common_dir) == branch:
        return True
    return any(entry.branch == branch for entry in linked_worktrees(opened.common_dir))
