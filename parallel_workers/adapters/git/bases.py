"""The commit a worker starts from."""

from __future__ import annotations

import difflib
import re

from parallel_workers.adapters.git.command import GitOutput, checked
from parallel_workers.adapters.git.layout import branch_ref, read_head, read_ref
from parallel_workers.adapters.git.opened import OpenedRepository, Remote
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.errors import BaseBranchError

_FETCH_ATTEMPTS = 5
_FETCH_RACES = ("cannot lock ref", "bad object worktrees/")
"""Another process fetched the same branch between our look at the ref and our lock; or a worktree is just being
made: for a moment its HEAD names no object, and a fetch checks that every HEAD does."""
_NO_REF_NAME = re.compile(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|@\{|//|^/|/$|\.lock(/|$)|(^|/)\.|\.$|^-|^$")
"""What git-check-ref-format forbids, as far as it could change the meaning of a refspec."""


def fetch_base(opened: OpenedRepository, lock: RepositoryLock, base_branch: str) -> str:
    """Bring the base branch up to date from the remote, if there is one; its commit sha.

    Raises:
        BaseBranchError: no such branch, or it has no commit yet.
        RepositoryLockedError: another process keeps the lock, and without it the fetch did not succeed.
    """
    if _NO_REF_NAME.search(base_branch):
        raise BaseBranchError(f"base branch {base_branch!r} is no valid branch name")
    if opened.remote is None:
        return _local_base(opened, base_branch)
    return _remote_base(opened, lock, opened.remote, base_branch)


def read_base(opened: OpenedRepository, base_branch: str) -> str:
    """The base as it was fetched last. Raises BaseBranchError when it was never fetched, or is not there."""
    if opened.remote is None:
        return _local_base(opened, base_branch)
    sha = read_ref(opened.common_dir, _tracking(opened.remote, base_branch))
    if sha is None:
        raise BaseBranchError(f"{base_branch} was never fetched from {opened.remote.name}")
    return sha


def _tracking(remote: Remote, branch: str) -> str:
    return f"refs/remotes/{remote.name}/{branch}"


def _remote_base(opened: OpenedRepository, lock: RepositoryLock, remote: Remote, base_branch: str) -> str:
    tracking = _tracking(remote, base_branch)
    arguments = (
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--no-recurse-submodules",
        # the URL and not the remote's name: an agent may have changed what the name stands for
        remote.url,
        f"+{branch_ref(base_branch)}:{tracking}",
    )
    output = _fetch(opened, lock, arguments)
    if output.code != 0 and "couldn't find remote ref" in output.stderr:
        raise BaseBranchError(_missing_on_remote(opened, remote, base_branch))
    checked(_as_remote_error(output), arguments)
    sha = read_ref(opened.common_dir, tracking)
    if sha is None:  # it was fetched a moment ago
        raise BaseBranchError(f"{tracking} vanished while it was fetched from {remote.name}")
    return sha


def _fetch(opened: OpenedRepository, lock: RepositoryLock, arguments: tuple[str, ...]) -> GitOutput:
    """At first without the lock, so that nobody waits for the network; after a lost race with it."""
    output = opened.ask_remote(*arguments)
    for _ in range(_FETCH_ATTEMPTS - 1):
        if output.code == 0 or not any(race in output.stderr for race in _FETCH_RACES):
            break
        with lock.hold() as descriptor:
            output = opened.ask_remote(*arguments, inherited_fds=(descriptor,))
    return output


def _as_remote_error(output: GitOutput) -> GitOutput:
    """git tells the reason first and then a paragraph of advice; keep the reason in the last lines."""
    lines = [
        line for line in output.stderr.splitlines() if line.strip() and not line.startswith(("Please make", "and "))
    ]
    return output._replace(stderr="\n".join(lines))


def _missing_on_remote(opened: OpenedRepository, remote: Remote, base_branch: str) -> str:
    listed = opened.git_remote("ls-remote", "--heads", remote.url)
    names = [line.partition("\trefs/heads/")[2] for line in listed.splitlines()]
    if not names:
        return f"{remote.name} has no branches at all yet; push the base: git push {remote.name} {base_branch}"
    text = f"{remote.name} has no branch {base_branch!r}; {_nearest(base_branch, names)}"
    if read_ref(opened.common_dir, branch_ref(base_branch)) is not None:
        text += f". You have it here: push it with git push {remote.name} {base_branch}"
    return text


def _local_base(opened: OpenedRepository, base_branch: str) -> str:
    sha = read_ref(opened.common_dir, branch_ref(base_branch))
    if sha is not None:
        return sha
    names = opened.git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").splitlines()
    if not names or read_head(opened.common_dir) == base_branch:
        raise BaseBranchError(
            f"{opened.path} has no commit on {base_branch!r} yet; make one: git commit --allow-empty --message begin"
        )
    raise BaseBranchError(f"{opened.path} has no branch {base_branch!r}; {_nearest(base_branch, names)}")


def _nearest(wanted: str, names: list[str]) -> str:
    near = difflib.get_close_matches(wanted.rpartition("/")[2], names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = ", ".join(sorted(names)[:5])
    return f"it has {shown}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")
