"""A repository as it was when it was opened, before any agent ran; what all operations start from."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from parallel_workers.adapters.git.askpass import GitCredential, answering
from parallel_workers.adapters.git.command import GitOptions, GitOutput, ask_git, checked
from parallel_workers.adapters.git.extra_headers import without_login
from parallel_workers.adapters.git.hardened import ConfigPairs, hardened_environment
from parallel_workers.adapters.git.layout import LinkedWorktree, find_linked, read_head
from parallel_workers.adapters.git.trusted_config import TrustedConfig
from parallel_workers.errors import UsageError
from parallel_workers.identity import REF_PREFIX

PUSHED_REF_PREFIX = f"{REF_PREFIX}pushed/"
"""`<prefix><branch>` is where the remote's branch stood when we last pushed it."""


class Remote(NamedTuple):
    """The remote's name, and its URL as the config had it when the repository was opened.

    With a credential `url` may be another spelling, for git alone; then `configured_url` is what the config had.
    """

    name: str
    url: str
    configured_url: str = ""


class WorktreeLocation(NamedTuple):
    """A worktree and the git directory that is really its own, whatever its `.git` file says."""

    path: Path
    git_dir: Path
    branch: str | None
    linked: LinkedWorktree | None


@dataclass(frozen=True)
class OpenedRepository:
    """Where the repository is, its remote, and who commits. `path` is the main checkout or the bare repository."""

    path: Path
    common_dir: Path
    bare: bool
    remote: Remote | None
    identity_config: ConfigPairs
    trusted_config: TrustedConfig
    credential: GitCredential | None = None
    """What git is given for the remote, for one command at a time; without one git asks the user's own helpers."""
    # config for a remote name nobody can have planted settings for
    pinned_remote: str = field(default_factory=lambda: f"parallel-workers-{secrets.token_hex(8)}")

    @property
    def config(self) -> ConfigPairs:
        """Pairs for each call: who commits when the user has not said, and the remote to push to.

        The fetch refspec makes a push keep `PUSHED_REF_PREFIX` up to date without a process of its own.
        """
        if self.remote is None:
            return self.identity_config
        name = f"remote.{self.pinned_remote}"
        pinned = ((f"{name}.url", self.remote.url), (f"{name}.fetch", f"+refs/heads/*:{PUSHED_REF_PREFIX}*"))
        return (*self.identity_config, *pinned)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment that `git` below gives, for callers of `run_git` that need the same identity."""
        return hardened_environment(self.config)

    @property
    def git_dir(self) -> Path:
        """Where the objects are: `common_dir`."""
        return self.common_dir

    def git(
        self,
        *arguments: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        accepted: tuple[int, ...] = (0,),
    ) -> str:
        """Run git on the repository as a whole; stdout without its last newline. Raises GitCommandError."""
        return checked(self.ask(*arguments, stdin=stdin, env=env), arguments, accepted)

    def ask(
        self,
        *arguments: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        inherited_fds: tuple[int, ...] = (),
    ) -> GitOutput:
        """As `git`, but answers the exit code instead of raising."""
        self.trusted_config.ensure_unchanged()
        environment = {"GIT_DIR": str(self.common_dir), **(env or {})}
        options = GitOptions(environment, self.config, stdin, inherited_fds)
        return ask_git(self.path, *arguments, options=options)

    def copy_blob(self, sha: str, target: BinaryIO) -> None:
        """Write the content of a blob into `target`, however large it is. Raises GitCommandError."""
        self.trusted_config.ensure_unchanged()
        # git itself reads what is smaller than this into memory
        arguments = ("-c", "core.bigFileThreshold=16m", "cat-file", "blob", sha)
        options = GitOptions({"GIT_DIR": str(self.common_dir)}, self.config, output=target)
        checked(ask_git(self.path, *arguments, options=options), arguments)

    def ask_remote(self, *arguments: str, inherited_fds: tuple[int, ...] = ()) -> GitOutput:
        """As `ask`, for a command that talks to the remote: with the credential for it, if there is one.

        Raises:
            ForgeError: no credential is to be had at the moment.
        """
        headers = without_login(self.credential, self.remote.url, self.ask) if self.remote else ()
        self.trusted_config.ensure_unchanged()
        with answering(self.credential) as answer:
            environment = {"GIT_DIR": str(self.common_dir), **answer.environment}
            config = (*self.config, *answer.config, *headers)
            options = GitOptions(environment, config, None, (*inherited_fds, *answer.inherited_fds))
            return ask_git(self.path, *arguments, options=options)

    def git_remote(self, *arguments: str) -> str:
        """As `ask_remote`; stdout without its last newline. Raises GitCommandError."""
        return checked(self.ask_remote(*arguments), arguments)

    def ask_in(
        self,
        location: WorktreeLocation,
        *arguments: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        inherited_fds: tuple[int, ...] = (),
    ) -> GitOutput:
        """Run git in a worktree. The git directories are given, so that its `.git` file is not believed."""
        self.trusted_config.ensure_unchanged(location.git_dir)
        environment = {
            "GIT_DIR": str(location.git_dir),
            "GIT_COMMON_DIR": str(self.common_dir),
            "GIT_WORK_TREE": str(location.path),
            **(env or {}),
        }
        options = GitOptions(environment, self.config, stdin, inherited_fds)
        return ask_git(location.path, *arguments, options=options)

    def git_in(
        self,
        location: WorktreeLocation,
        *arguments: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """As `ask_in`; stdout without its last newline. Raises GitCommandError."""
        return checked(self.ask_in(location, *arguments, stdin=stdin, env=env), arguments)

    def locate(self, worktree: Path) -> WorktreeLocation:
        """The worktree of this repository at `worktree`: a linked one or the main checkout.

        Raises:
            UsageError: there is none.
        """
        linked = find_linked(self.common_dir, worktree)
        if linked is not None:
            return self.locate_linked(linked)
        if not self.bare and worktree.resolve() == self.path:
            return WorktreeLocation(self.path, self.common_dir, read_head(self.common_dir), None)
        raise UsageError(f"{worktree} is no worktree of {self.path}; see: git -C '{self.path}' worktree list")

    def locate_linked(self, linked: LinkedWorktree) -> WorktreeLocation:
        """The same for an entry that is at hand."""
        return WorktreeLocation(linked.path, linked.admin, linked.branch, linked)
