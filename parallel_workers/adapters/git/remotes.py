"""Branches on the remote: pushed under a lease on what we last put there, never over anybody else's commits."""

from __future__ import annotations

from loguru import logger

from parallel_workers.adapters.git.command import GitOutput, checked
from parallel_workers.adapters.git.layout import branch_ref, read_ref
from parallel_workers.adapters.git.opened import PUSHED_REF_PREFIX, OpenedRepository, Remote
from parallel_workers.crash_points import reach
from parallel_workers.errors import ForeignCommitsError, UsageError


def pushed_ref(branch: str) -> str:
    """The local ref that remembers where we last pushed a branch."""
    return f"{PUSHED_REF_PREFIX}{branch}"


def push_branch(opened: OpenedRepository, branch: str) -> str:
    """Push `branch`; the sha that is on the remote now (without a remote: the branch's).

    Raises:
        ForeignCommitsError: the remote's branch has commits that are not ours.
        GitCommandError: the remote refused, or could not be reached.
        UsageError: there is no such branch here.
    """
    sha = read_ref(opened.common_dir, branch_ref(branch))
    if sha is None:
        raise UsageError(f"{opened.path} has no branch {branch}")
    if opened.remote is None:
        return sha
    expected = read_ref(opened.common_dir, pushed_ref(branch))
    output = _push(opened, sha, branch, expected)
    if output.code != 0 and _lease_failed(output):
        there = _fetch_sha(opened, opened.remote, branch)
        _ensure_ours(opened, opened.remote, branch, there, sha)
        output = _push(opened, sha, branch, there)
    checked(output, ("push", opened.remote.url, branch))
    reach("push.pushed")
    return sha


def delete_remote_branch(opened: OpenedRepository, branch: str, head_sha: str) -> None:
    """Delete the branch on the remote while it is still at `head_sha`; gone already is success.

    A branch that moved on is kept, with a warning.

    Raises:
        GitCommandError: the remote refused, or could not be reached.
    """
    remote = opened.remote
    if remote is None:
        return
    output = _push(opened, "", branch, head_sha)
    if output.code != 0 and _lease_failed(output):
        there = _fetch_sha(opened, remote, branch)
        if there is not None:
            logger.warning("{} keeps branch {}: it is at {}, not at {}", remote.name, branch, there, head_sha)
        return
    checked(output, ("push", remote.url, f":{branch}"))


def _push(opened: OpenedRepository, sha: str, branch: str, expected: str | None) -> GitOutput:
    """One push through our own remote name; an empty `sha` deletes, `expected` None means: must not exist."""
    ref = branch_ref(branch)
    lease = f"--force-with-lease={ref}:{expected or ''}"
    return opened.ask_remote("push", "--porcelain", "--no-verify", lease, opened.pinned_remote, f"{sha}:{ref}")


def _lease_failed(output: GitOutput) -> bool:
    return "(stale info)" in output.stdout or "remote ref does not exist" in output.stderr


def _fetch_sha(opened: OpenedRepository, remote: Remote, branch: str) -> str | None:
    listed = opened.git_remote("ls-remote", remote.url, branch_ref(branch))
    return listed.partition("\t")[0] or None


def _ensure_ours(opened: OpenedRepository, remote: Remote, branch: str, there: str | None, sha: str) -> None:
    """Return if what is on the remote is in our branch: a push of ours whose record was lost.

    Raises:
        ForeignCommitsError: it is not.
    """
    if there is None:  # we pushed it, and somebody deleted it: nothing of theirs is there to lose
        return
    known = opened.ask("merge-base", "--is-ancestor", there, sha)
    if known.code != 0:
        raise ForeignCommitsError(
            f"{remote.name} has commits on {branch} that are not ours (it is at {there[:12]}): somebody else pushed "
            f"there, and nothing was overwritten. Look at them with git fetch {remote.name} {branch}, merge them into "
            f"{branch} here or delete the branch there, and run this again"
        )
