"""Which repository the pull requests live in, and how it is reached."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from parallel_workers.adapters.git.command import GitOptions, ask_git, checked, run_git
from parallel_workers.adapters.git.trusted_config import TrustedConfig
from parallel_workers.adapters.git.version import ensure_git_version
from parallel_workers.errors import ForgeError, GitCommandError
from parallel_workers.remote_urls import local_path, without_credentials

_LOCK_POLL_SECONDS = 0.005


class Checkout(NamedTuple):
    """A worktree and the git directory that is really its own."""

    path: Path
    git_dir: Path


class Host(NamedTuple):
    """Where pull requests live.

    `git_dir` holds the objects we read and make. With `remote_url` the refs are on the other side of it,
    reached by git's own transport; without, they are in `git_dir` too. `place` is how a person would name it.
    `clone` is the git directory of the repository we were started for: who commits is configured there.
    `trusted_config` is what the config in `git_dir` said when this was made.
    """

    git_dir: Path
    clone: Path
    remote_url: str | None
    place: str
    trusted_config: TrustedConfig

    def git(self, *arguments: str, stdin: str | bytes | None = None) -> str:
        """Run git on `git_dir`.

        Raises:
            GitCommandError: it ended non-zero.
            UntrustedConfigError: its config gained settings that run programs or redirect git.
        """
        self.trusted_config.ensure_unchanged()
        return run_git(self.git_dir, f"--git-dir={self.git_dir}", *arguments, stdin=stdin)

    def git_in(self, checkout: Checkout, *arguments: str) -> str:
        """Run git in a checkout, where the user's own filters run, with nothing secret in the environment.

        The git directories are given, so that the checkout's `.git` file is not believed.

        Raises:
            GitCommandError: it ended non-zero.
            UntrustedConfigError: the config for this checkout, or `info/attributes`, was changed.
        """
        self.trusted_config.ensure_unchanged(checkout.git_dir)
        environment = {
            "GIT_DIR": str(checkout.git_dir),
            "GIT_COMMON_DIR": str(self.git_dir),
            "GIT_WORK_TREE": str(checkout.path),
        }
        options = GitOptions(environment, secretless=True)
        return checked(ask_git(checkout.path, *arguments, options=options), arguments)


def find_host(repository: Path) -> Host:
    """The host of a repository's pull requests.

    Its remote (`origin`, or the only one) when that is a path on this machine; the clone with the remote's
    URL when it is not; the repository itself when it has no remote.

    Raises:
        ForgeError: no repository there, a remote's path that is none, or several remotes and no `origin`.
        UsageError: git is missing or too old.
    """
    ensure_git_version()
    git_dir = _common_dir(repository)
    url = _remote_url(git_dir)
    # as git reads a relative remote: from the top of the main checkout
    top = git_dir.parent if git_dir.name == ".git" else git_dir
    if url is None:
        return Host(git_dir, git_dir, None, str(top), TrustedConfig(git_dir))
    path = local_path(url)
    if path is None:
        return Host(git_dir, git_dir, url, without_credentials(url), TrustedConfig(git_dir))
    remote = _common_dir(top / path)
    return Host(remote, git_dir, None, str((top / path).resolve()), TrustedConfig(remote))


def _common_dir(location: Path) -> Path:
    try:
        return Path(run_git(location, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    except GitCommandError as error:
        said = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ForgeError(f"{location} is no git repository that can be used: {said}") from error


def _remote_url(git_dir: Path) -> str | None:
    """The remote's URL as configured; None when there is no remote."""
    listed = run_git(git_dir, "config", "-z", "--get-regexp", r"^remote\..*\.url$", accepted=(0, 1))
    urls: dict[str, str] = {}
    for entry in listed.split("\0"):
        key, _, value = entry.partition("\n")
        if value:
            urls.setdefault(key.removeprefix("remote.").removesuffix(".url"), value)
    if len(urls) > 1 and "origin" not in urls:
        raise ForgeError(f"{git_dir} has the remotes {', '.join(sorted(urls))}; call the one that counts 'origin'")
    return urls.get("origin", next(iter(urls.values()), None))


class WriterLocks:
    """One writer at a time for each purpose, among the threads and processes of this machine.

    Correctness rests on git's compare-and-swap of refs; this only keeps a storm of writers from losing races.
    Threads queue on a lock of their own first, because waiting for a file lock is polling.
    """

    def __init__(self, git_dir: Path) -> None:
        self._folder = git_dir / "parallel-workers"
        self._threads = {"open": threading.Lock(), "merge": threading.Lock()}

    @contextmanager
    def held(self, purpose: str) -> Iterator[None]:
        """Hold the lock for `open` or `merge`.

        Raises:
            ForgeError: the repository cannot be written to.
        """
        with self._threads[purpose]:
            try:
                self._folder.mkdir(exist_ok=True)
            except OSError as error:
                raise ForgeError(f"pull requests cannot be kept in {self._folder.parent}: {error}") from error
            with FileLock(self._folder / f"{purpose}.lock", poll_interval=_LOCK_POLL_SECONDS):
                yield
