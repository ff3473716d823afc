"""The `GitRepository` port on real git."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from parallel_workers.adapters.git import (
    bases,
    commits,
    listing,
    own_branch,
    remotes,
    removal,
    rescue_store,
    restoring,
    reworking,
    worker_removal,
    worktrees,
)
from parallel_workers.adapters.git.askpass import GitCredential, login_url
from parallel_workers.adapters.git.discovery import discover
from parallel_workers.adapters.git.effective_urls import effective_url
from parallel_workers.adapters.git.layout import linked_worktrees
from parallel_workers.adapters.git.opened import OpenedRepository, Remote
from parallel_workers.adapters.git.repository_lock import DEFAULT_TIMEOUT_SECONDS, RepositoryLock
from parallel_workers.adapters.git.shared_fetch import SharedFetches
from parallel_workers.errors import BaseBranchError
from parallel_workers.remote_urls import local_path, name_place
from parallel_workers.rescues import Rescue, RestoredRescue
from parallel_workers.worktrees import (
    BranchWork,
    EnsuredWorktree,
    ForgottenWorktree,
    Joined,
    Worktree,
    WorktreePlan,
    WorktreeStatus,
)

LOCK_FILE = "parallel-workers.lock"


def open_repository(path: Path | str, *, lock_timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> GitPythonRepository:
    """The repository at `path`: a clone, a folder of it, a bare repository, or a linked worktree of one.

    Raises:
        UsageError: there is no git repository.
    """
    opened = discover(Path(path))
    return GitPythonRepository(opened, RepositoryLock(opened.common_dir / LOCK_FILE, lock_timeout_seconds))


class GitPythonRepository:
    """One repository and its linked worktrees; see `ports.GitRepository`. Safe to call from many threads."""

    def __init__(self, opened: OpenedRepository, lock: RepositoryLock) -> None:
        self._opened = opened
        self._lock = lock
        self._fetches = SharedFetches()

    @property
    def path(self) -> Path:
        """The main checkout, or the bare repository itself."""
        return self._opened.path

    @property
    def common_dir(self) -> Path:
        """The git directory that all worktrees share."""
        return self._opened.common_dir

    @property
    def remote_url(self) -> str | None:
        """The URL of the remote as it was when the repository was opened; may hold credentials."""
        remote = self._opened.remote
        return None if remote is None else remote.configured_url or remote.url

    @property
    def effective_remote_url(self) -> str | None:
        """Where git goes for `remote_url`: what `insteadOf` of the user makes of it. One process, no network."""
        url = self.remote_url
        return None if url is None else effective_url(self._opened, url)

    def with_credential(self, credential: GitCredential | None) -> GitPythonRepository:
        """The same repository, whose fetches and pushes carry a credential, each for its one command.

        To be called before any other use, as in `open_repository(path).with_credential(forge.git_credential)`.
        """
        remote = self._opened.remote
        if credential is not None and remote is not None:
            url = effective_url(self._opened, remote.url)
            asked = login_url(url, credential.server_url)
            if asked != url:
                remote = Remote(remote.name, asked, self.remote_url or "")
        return GitPythonRepository(replace(self._opened, credential=credential, remote=remote), self._lock)

    @property
    def remote_name(self) -> str | None:
        """`origin`, or the name of the only remote."""
        return None if self._opened.remote is None else self._opened.remote.name

    @property
    def environment(self) -> Mapping[str, str]:
        """What to give `run_git` as `env`, so that commits made with it carry the same identity as ours."""
        return self._opened.environment

    @property
    def identity(self) -> str:
        """What names this repository on any machine: where its remote is, however it is reached, else its path.

        A remote named by a relative path is named by where that leads: two clones may both say `../repo.git`.
        """
        if not self.remote_url:
            return str(self.path)
        path = local_path(self.remote_url)
        if path is not None and not path.is_absolute():
            return str((self.path / path).resolve())
        return str(path) if path is not None else name_place(self.remote_url)

    def fetch_base(self, base_branch: str) -> str:
        """Bring the base up to date; callers at the same time share one fetch. Raises BaseBranchError."""
        return self._fetches.run(base_branch, lambda: bases.fetch_base(self._opened, self._lock, base_branch))

    def ensure_worktree(self, plan: WorktreePlan) -> EnsuredWorktree:
        """Make or adopt branch and worktree. Raises WorktreeConflictError, UsageError, RepositoryLockedError."""
        return worktrees.ensure_worktree(self._opened, self._lock, plan)

    def list_worktrees(self) -> tuple[Worktree, ...]:
        """Every linked worktree (not the main checkout), in the order of their names."""
        return tuple(listing.describe_worktree(self._opened, entry) for entry in linked_worktrees(self.common_dir))

    def get_status(self, worktree: Path, base_sha: str) -> WorktreeStatus:
        """What the worktree holds beyond `base_sha`. Raises UsageError when it is no worktree of ours."""
        return commits.get_status(self._opened, worktree, base_sha)

    def hold_branch(self, worktree: Path, branch: str) -> None:
        """Bring back a branch that was deleted under its worktree. Raises AgentFailedError when it is on another."""
        own_branch.hold_branch(self._opened, worktree, branch)

    def commit_all(self, worktree: Path, message: str) -> str | None:
        """Commit everything uncommitted but ignored files; the new sha, or None when there was nothing."""
        return commits.commit_all(self._opened, worktree, message)

    def get_branch_work(self, branch: str, base_sha: str) -> BranchWork:
        """The commits and changes of `branch` since it left `base_sha`'s history."""
        return commits.get_branch_work(self._opened, branch, base_sha)

    def push_branch(self, branch: str) -> str:
        """Push; the sha that is on the remote now. Raises ForgeError before overwriting others' commits."""
        return remotes.push_branch(self._opened, branch)

    def bring_up_to_remote(self, worktree: Path, branch: str, pushed_sha: str = "") -> Joined:
        """Take in what others pushed on top of ours. Raises RewrittenBranchError when ours is gone there."""
        try:
            there = self.fetch_base(branch)
        except BaseBranchError:  # not on the remote: nobody can have added to it
            return Joined(reworking.read_head_sha(self._opened, branch))
        return reworking.join_remote(self._opened, worktree, branch, there, pushed_sha)

    def merge_base_into(self, worktree: Path, branch: str, base_branch: str) -> Joined:
        """Bring the base up to date and merge it into the worktree's branch; conflicts are left with markers."""
        base = base_branch, self.fetch_base(base_branch)
        return reworking.join_base(self._opened, worktree, branch, base)

    def find_conflicts(self, worktree: Path, base_sha: str) -> tuple[str, ...]:
        """Files of the worktree still in conflict: undecided, or with markers that `base_sha` does not have."""
        return reworking.find_conflicts(self._opened, worktree, base_sha)

    def find_fork(self, branch: str, base_branch: str) -> str:
        """The newest commit of the base, as it was fetched last, that `branch` has."""
        return reworking.find_fork(self._opened, branch, bases.read_base(self._opened, base_branch))

    def remove_worktree(self, worktree: Path, *, force: bool = False, worker: str | None = None) -> str | None:
        """Remove a linked worktree; the rescue ref, if work was saved. Raises UnsavedWorkError unless `force`."""
        return removal.remove_worktree(self._opened, worktree, force=force, worker=worker)

    def remove_worker(self, plan: WorktreePlan, head_sha: str, *, was_pushed: bool = False) -> str | None:
        """After a merge: remove worktree, branch and mark; the rescue ref, if work was left uncommitted."""
        return worker_removal.remove_worker(self._opened, self.fetch_base, plan, head_sha, was_pushed=was_pushed)

    def prune(self) -> tuple[ForgottenWorktree, ...]:
        """Forget linked worktrees whose folder is gone; what git still knew of them is saved first."""
        return removal.prune(self._opened, self._lock)

    def list_rescues(self) -> tuple[Rescue, ...]:
        """What was saved before something was removed, newest first."""
        return rescue_store.list_rescues(self._opened)

    def find_rescue(self, name: str) -> Rescue:
        """One of them, by name, full ref, or the beginning of its name. Raises UsageError."""
        return rescue_store.find_rescue(self._opened, name)

    def drop_rescues(self, rescues: Iterable[Rescue]) -> None:
        """Delete their refs, all or none. Raises GitCommandError when one was moved meanwhile."""
        rescue_store.drop_rescues(self._opened, rescues)

    def restore_rescue(self, rescue: Rescue, branch: str, worktree: Path | None = None) -> RestoredRescue:
        """Bring one back as a branch, or as a worktree too. Raises WorktreeConflictError, UsageError."""
        if worktree is None:
            return restoring.restore_branch(self._opened, rescue, branch)
        return restoring.restore_worktree(self._opened, self._lock, rescue, branch, worktree)

    def read_base_file(self, base_sha: str, name: str) -> str | None:
        """Text of a file as the base commit has it, or None when it has no such file."""
        return listing.read_base_file(self._opened, base_sha, name)
