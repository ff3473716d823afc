"""What was written into a worktree after the last look at it, when its deletion had begun: saved, and then deleted.

Half of the other files may be gone by then, so that git's look at it as a worktree would tell of deletions that nobody
made. Only the files themselves are looked at.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from parallel_workers.adapters.git.file_states import FileStates
from parallel_workers.adapters.git.inspection import Inspection, find_kept_ignored
from parallel_workers.adapters.git.layout import LinkedWorktree, branch_ref, read_ref
from parallel_workers.adapters.git.opened import OpenedRepository, WorktreeLocation
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.worktree_contents import WorktreeContents


def find_late(opened: OpenedRepository, linked: LinkedWorktree, aside: Path, looked_at: int) -> Inspection | None:
    """The files below `aside` that came or changed since `looked_at`, as `save_work` takes them; None without any.

    Ignored ones do not count, unless `keep_ignored` names them.

    Raises:
        UnsavedWorkError: a folder cannot be read, or another repository came into it.
        GitCommandError: git cannot make sense of it.
    """
    late = _changed_since(aside, looked_at)
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


def _changed_since(folder: Path, moment: int) -> list[str]:
    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise UnsavedWorkError(
                f"{error.filename} cannot be read ({error.strerror}), so nothing more is removed; "
                f"make it readable: chmod -R u+rwX '{error.filename}'"
            ) from error

    found = []
    for root, folders, files in os.walk(folder, onerror=refuse):
        for path in (Path(root, name) for name in (*folders, *files)):
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(status.st_mode) and status.st_ctime_ns >= moment:
                found.append(str(path.relative_to(folder)))
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
