"""What was written into a worktree after the last look at it, when its deletion had begun: saved, and then deleted.

Half of the other files may be gone by then, so that git's look at it as a worktree would tell of deletions that nobody
made. Only the files themselves are looked at.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from parallel_workers.adapters.git.deletion import BegunDeletion
from parallel_workers.adapters.git.file_states import FileStates
from parallel_workers.adapters.git.inspection import Inspection, find_kept_ignored
from parallel_workers.adapters.git.layout import LinkedWorktree, branch_ref, read_ref
from parallel_workers.adapters.git.opened import OpenedRepository, WorktreeLocation
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.worktree_contents import WorktreeContents


def find_late(opened: OpenedRepository, linked: LinkedWorktree, begun: BegunDeletion) -> Inspection | None:
    """The files moved aside that came or changed since the last look, as `save_work` takes them; None without any.

    Ignored ones do not count, unless `keep_ignored` names them.

    Raises:
        UnsavedWorkError: a folder cannot be read, or another repository came into it.
        GitCommandError: git cannot make sense of it.
    """
    aside = begun.aside
    late = _changed_since(begun)
    _refuse_repositories(linked, aside, late)
    location = WorktreeLocation(aside, linked.admin, linked.branch, linked)
    late = _not_ignored(opened, location, late)
    if not late:
        return None
    tracked = set(opened.git_in(location, "ls-files", "-z", "--cached").split("\0"))
    head_sha = read_ref(opened.common_dir, branch_ref(linked.branch)) if linked.branch is not None else None
    changed = tuple(name for name in late if name in tracked)
    untracked = tuple(name for name in late if name not in tracked)
    contents = WorktreeContents(
        path=linked.path,
        worker=linked.worker,
        branch=linked.branch,
        head_sha=head_sha or read_ref(linked.admin, "HEAD") or "",
        unstaged=changed,
        untracked=untracked,
    )
    return Inspection(contents, FileStates(unstaged=changed, untracked=untracked), location)


def _changed_since(begun: BegunDeletion) -> list[str]:
    """Also all that lies in a folder that was moved in: its files keep their times. Our own deletion changes a folder's
    times, too, so folders are known by their inodes."""

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise UnsavedWorkError(
                f"{error.filename} cannot be read ({error.strerror}), so nothing more is removed; "
                f"make it readable: chmod -R u+rwX '{error.filename}'"
            ) from error

    found = []
    device = begun.aside.stat().st_dev
    came: set[str] = set()
    for root, folders, files in os.walk(begun.aside, onerror=refuse):
        for path in (Path(root, name) for name in (*folders, *files)):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            is_known = root not in came and status.st_dev == device
            if stat.S_ISDIR(status.st_mode):
                if not is_known or status.st_ino not in begun.folders:
                    came.add(str(path))
            elif not is_known or status.st_ctime_ns >= begun.looked_at:
                found.append(str(path.relative_to(begun.aside)))
    return sorted(name for name in found if name != ".git")


def _refuse_repositories(linked: LinkedWorktree, aside: Path, late: list[str]) -> None:
    inside = next((name for name in late if ".git" in name.split("/")), None)
    if inside is not None:
        repository = aside / inside.partition(".git")[0]
        raise UnsavedWorkError(
            f"{linked.path} is not removed completely, because a repository came into it meanwhile: {repository}. "
            f"Move it out: mv '{repository}' …, and remove the worktree again"
        )


def _not_ignored(opened: OpenedRepository, location: WorktreeLocation, names: list[str]) -> list[str]:
    if not names:
        return []
    asked = opened.ask_in(location, "check-ignore", "-z", "--stdin", stdin="".join(f"{name}\0" for name in names))
    # it fails on what lies in a submodule; then all is saved
    ignored = set(asked.stdout.split("\0")) if asked.code == 0 else set()
    with tempfile.TemporaryDirectory(prefix="parallel-workers-") as scratch:
        kept = find_kept_ignored(opened, location, location.git_dir / "index", Path(scratch) / "patterns")
    return [name for name in names if name not in ignored or name in kept]
