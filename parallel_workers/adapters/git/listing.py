"""Reads what is there: linked worktrees and files of a commit."""

from __future__ import annotations

from parallel_workers.adapters.git.command import checked
from parallel_workers.adapters.git.layout import LinkedWorktree, branch_ref, read_ref
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.identity import worker_ref
from parallel_workers.worktrees import Worktree

_NO_SUCH_FILE = ("does not exist in", "exists on disk, but not in", "bad file")


def describe_worktree(opened: OpenedRepository, entry: LinkedWorktree) -> Worktree:
    """One linked worktree; its worker only while the worker's ref says that it is really one's own."""
    head = read_ref(opened.common_dir, branch_ref(entry.branch)) if entry.branch else read_ref(entry.admin, "HEAD")
    worker = entry.worker
    owned = worker is not None and read_ref(opened.common_dir, worker_ref(worker)) is not None
    locked = entry.lock_reason is not None
    prunable = not locked and not entry.path.exists()
    return Worktree(entry.path, head or "", entry.branch, locked, prunable, worker if owned else None)


def read_base_file(opened: OpenedRepository, base_sha: str, name: str) -> str | None:
    """Text of a file as a commit has it, without filters or conversions; None when it has no such file.

    Raises:
        GitCommandError: there is no such commit.
    """
    arguments = ("cat-file", "blob", f"{base_sha}:{name}")
    output = opened.ask(*arguments)
    if output.code != 0 and any(mark in output.stderr for mark in _NO_SUCH_FILE):
        # git says the same when it is the commit that is missing
        opened.git("cat-file", "-e", f"{base_sha}^{{commit}}")
        return None
    checked(output, arguments)
    return output.stdout
