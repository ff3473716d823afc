"""What a worktree holds that its branch does not: all that its removal could lose."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Stash(NamedTuple):
    """An entry of `git stash list`: its commit, and what git wrote beside it."""

    sha: str
    message: str


class OwnRef(NamedTuple):
    """A ref of one worktree, such as refs/worktree/name, and the commit that nothing else keeps."""

    name: str
    sha: str


class StoppedOperation(NamedTuple):
    """A merge, rebase, cherry-pick … that was begun and not ended.

    `branch` is the one that is rebased and `original_head` where it stood before; None and '' for the others.
    """

    name: str
    branch: str | None = None
    original_head: str = ""


class UntrustedModule(NamedTuple):
    """A file of a submodule's repository that makes git run programs, read other config or overlook files.

    `keys` are the settings that do; empty when it is no config, or one that git cannot read.
    """

    file: str
    keys: tuple[str, ...] = ()


class WorktreeContents(NamedTuple):
    """One look at a worktree. Paths of files are relative to it; every tuple is empty when there is nothing.

    `head_sha` is '' on an unborn branch. `loose_commit` is HEAD when it is detached at a commit that no ref keeps, or
    where HEAD was when its branch was deleted under it. `left_behind` are commits that HEAD was at, by their names in
    its reflog, and that nothing else keeps.
    `kept_ignored` are ignored files that `keep_ignored` names. `own_repositories` are folders with a repository
    of their own whose files or commits exist nowhere else; `own_modules` are git directories of submodules that are
    checked out nowhere, with such commits. `untrusted_modules` are submodules that were not looked at, as git would act
    on what their config says. `inner_worktrees` are other worktrees that lie in it.
    `mounts` are places where something else is mounted.
    `not_ours` says, in words, why the folder is not the worktree that is registered there; '' when it is.
    `folder_gone` leaves only what git itself recorded.
    """

    path: Path
    worker: str | None = None
    branch: str | None = None
    head_sha: str = ""
    staged: tuple[str, ...] = ()
    unstaged: tuple[str, ...] = ()
    conflicted: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    kept_ignored: tuple[str, ...] = ()
    stashes: tuple[Stash, ...] = ()
    loose_commit: str = ""
    own_refs: tuple[OwnRef, ...] = ()
    left_behind: tuple[OwnRef, ...] = ()
    operation: StoppedOperation | None = None
    own_repositories: tuple[str, ...] = ()
    own_modules: tuple[str, ...] = ()
    untrusted_modules: tuple[UntrustedModule, ...] = ()
    inner_worktrees: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    lock_reason: str | None = None
    not_ours: str = ""
    folder_gone: bool = False

    @property
    def uncommitted(self) -> tuple[str, ...]:
        """Every file that is not as HEAD has it, once: tracked ones first."""
        return tuple(dict.fromkeys((*self.conflicted, *self.staged, *self.unstaged, *self.untracked)))
