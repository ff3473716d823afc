"""What runs have left in a repository and below the worktree root; dropping git's record of what is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from parallel_workers.adapters.git.deletion import removed_from
from parallel_workers.adapters.git.discovery import discover
from parallel_workers.adapters.git.layout import LinkedWorktree, linked_worktrees, read_head, read_ref
from parallel_workers.adapters.git.lock_files import find_flock_holders, look_at_locks
from parallel_workers.adapters.git.opened import PUSHED_REF_PREFIX, OpenedRepository
from parallel_workers.adapters.git.removal import forget_worktree
from parallel_workers.adapters.git.repository import LOCK_FILE, GitPythonRepository
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.decisions.health_of_repository import is_stale
from parallel_workers.health import OwnedBranch, RegisteredWorktree, RepositoryFacts, StrayFolder
from parallel_workers.identity import BRANCH_PREFIX, WORKER_REF_PREFIX, worker_id, worker_ref, worktree_path

_LOCK_SECONDS = 5.0


class Leftovers:
    """Looks for leftovers in one repository. Blocking; `path` is any folder in it.

    Raises (when made):
        UsageError: there is no git repository.
    """

    def __init__(self, path: Path) -> None:
        self._opened = discover(path)
        self._lock = RepositoryLock(self._opened.common_dir / LOCK_FILE, _LOCK_SECONDS)
        self.git = GitPythonRepository(self._opened, self._lock)

    def look(self) -> RepositoryFacts:
        """Everything at one look; changes nothing."""
        opened = self._opened
        return RepositoryFacts(
            path=opened.path,
            lock=self._lock.path,
            locks=look_at_locks(opened.path, opened.common_dir),
            lock_held_by=find_flock_holders(self._lock.path),
            worktrees=tuple(self._describe(entry) for entry in linked_worktrees(opened.common_dir)),
            branches=tuple(_owned_branches(opened)),
            marks=tuple(_marks(opened)),
        )

    def _describe(self, entry: LinkedWorktree) -> RegisteredWorktree:
        worker = entry.worker
        owned = worker is not None and read_ref(self._opened.common_dir, worker_ref(worker)) is not None
        return RegisteredWorktree(
            path=entry.path,
            worker=worker if owned else None,
            branch=entry.branch,
            exists=entry.path.exists(),
            parent_exists=entry.path.parent.is_dir(),
            lock_reason=entry.lock_reason,
            half_made=entry.half_made,
            by_hand=worker in self._ids_by_hand(entry.path.name),
        )

    def _ids_by_hand(self, name: str) -> tuple[str, ...]:
        """Ids that `worktree create` would have given; the folder's name is the task id in lower case."""
        return tuple(worker_id(self.git.identity, "worktree", task) for task in (name, name.upper()))

    def remove_lock(self, path: Path) -> bool:
        """Remove a lock file of this repository that is still left over; False when it is gone, new, or held by now."""
        now = {lock.path: lock for lock in look_at_locks(self._opened.path, self._opened.common_dir)}
        if path not in now or not is_stale(now[path]):
            return False
        path.unlink(missing_ok=True)
        return True

    def forget(self, worktree: Path) -> bool:
        """Drop the record of a worktree whose folder is gone; False when it is there again, locked, or not on record.

        What only the record knows, like what was staged, is saved first.

        Raises:
            UnsavedWorkError: it cannot be saved; nothing was dropped.
            RepositoryLockedError: somebody is at work on the repository's worktrees.
        """
        with self._lock.hold():
            for entry in linked_worktrees(self._opened.common_dir):
                unlocked = entry.lock_reason is None or entry.half_made
                if entry.path == worktree and unlocked and entry.branch is not None and not entry.path.exists():
                    forget_worktree(self._opened, entry)
                    return True
        return False


def _marks(opened: OpenedRepository) -> Iterator[str]:
    for ref in opened.git("for-each-ref", "--format=%(refname)", WORKER_REF_PREFIX).splitlines():
        yield ref.removeprefix(WORKER_REF_PREFIX)


def _owned_branches(opened: OpenedRepository) -> Iterator[OwnedBranch]:
    """Branches `feature/…` that nobody has checked out and that we pushed, or that begin where a mark of ours is."""
    in_use = {entry.branch for entry in linked_worktrees(opened.common_dir)} | {read_head(opened.common_dir)}
    named = opened.git("for-each-ref", "--format=%(refname:lstrip=2)", f"refs/heads/{BRANCH_PREFIX}").splitlines()
    for name in named:
        if name in in_use:
            continue
        reached = opened.git("for-each-ref", f"--merged=refs/heads/{name}", "--format=%(refname)", WORKER_REF_PREFIX)
        marks = tuple(ref.removeprefix(WORKER_REF_PREFIX) for ref in reached.splitlines())
        pushed = read_ref(opened.common_dir, PUSHED_REF_PREFIX + name) is not None
        if marks or pushed:
            yield OwnedBranch(name, marks, pushed)


def find_strays(root: Path) -> tuple[StrayFolder, ...]:
    """Folders `<root>/<project>/<task>` that are on record in no repository. Follows no symbolic link.

    One that no task can need, because it is empty or is named as no task's folder is, is told only when it was moved,
    by somebody or by a removal.
    """
    strays = []
    for folder in _task_folders(root):
        in_the_way = folder == worktree_path(root, folder.parent.name, folder.name)
        pointer = _read_pointer(folder / ".git")
        place = _recorded_place(pointer) if pointer else None
        removed = removed_from(folder)
        if removed is not None:
            strays.append(StrayFolder(folder, _repository_of(pointer) if pointer else None, removed_from=removed))
        elif pointer is not None and place is not None:
            if place != folder.resolve():
                strays.append(StrayFolder(folder, _repository_of(pointer), place))
        elif in_the_way and any(folder.iterdir()):
            strays.append(StrayFolder(folder))
    return tuple(strays)


def _task_folders(root: Path) -> Iterator[Path]:
    for project in _folders(root):
        # A clone that somebody keeps below the root is no project of ours.
        if not (project / ".git").exists():
            yield from (folder for folder in _folders(project) if not (folder / ".git").is_dir())


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.is_dir() and not each.is_symlink())
    except OSError:
        return []


def _read_pointer(file: Path) -> Path | None:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    named = text.strip().removeprefix("gitdir: ")
    return Path(os.path.normpath(file.parent / named)) if text.startswith("gitdir: ") else None


def _recorded_place(admin: Path) -> Path | None:
    """The folder that a record names; None when there is no such record."""
    try:
        text = (admin / "gitdir").read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return None
    return Path(os.path.normpath(admin / text)).parent


def _repository_of(admin: Path) -> Path:
    common_dir = admin.parent.parent
    return common_dir.parent if common_dir.name == ".git" else common_dir
