"""What a push does to the pull requests of a repository."""

from __future__ import annotations

from tests.fake_github.checks import finish_ci, start_ci
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Pull

HOOK = "#!/bin/sh\necho >> pushed\n"
"""The bare repository's post-receive hook: tells that somebody pushed, also past the server."""


def notice_pushes(state: RepositoryState) -> bool:
    """Take in what was pushed since the last look, however it came; whether there was anything."""
    finish_ci(state)
    marker = state.git.path / "pushed"
    size = marker.stat().st_size if marker.exists() else 0
    if size == state.pushes_seen:
        return False
    state.pushes_seen = size
    take_in_refs(state)
    return True


def take_in_refs(state: RepositoryState) -> None:
    """Compare branches with what was known, and move pull requests."""
    before, after = state.branches, state.git.branches()
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    state.branches = after
    if changed:
        state.pushed_at = state.world.clock.stamp()
    moved = [pull for pull in state.open_pulls() if pull.head_branch in changed]
    for pull in moved:
        _follow_head(state, pull)
    for name in changed:
        _base_moved(state, name, before.get(name))
    for pull in moved:
        _settle_head(state, pull)


def close(state: RepositoryState, pull: Pull) -> None:
    """Close without merging."""
    pull.state, pull.closed_at, pull.auto_merge = "closed", state.world.clock.stamp(), None
    state.touch(pull)


def keep_head(state: RepositoryState, pull: Pull) -> None:
    """`refs/pull/N/head` outlives the branch."""
    state.git.update_refs([f"update refs/pull/{pull.number}/head {pull.head_sha}"])


def _follow_head(state: RepositoryState, pull: Pull) -> None:
    state.touch(pull)
    if pull.head_branch in state.branches:
        pull.head_sha = state.branches[pull.head_branch]
        pull.base_sha = state.branches.get(pull.base_branch, pull.base_sha)
        keep_head(state, pull)


def _settle_head(state: RepositoryState, pull: Pull) -> None:
    """A head branch that is gone, or has nothing of its own any more, closes its pull request."""
    if pull.state != "open":
        return
    if pull.head_branch not in state.branches or state.git.is_ancestor(pull.head_sha, pull.base_sha):
        close(state, pull)
    else:
        start_ci(state, pull)


def _base_moved(state: RepositoryState, name: str, old: str | None) -> None:
    concerned = [pull for pull in state.open_pulls() if pull.base_branch == name]
    if not concerned:
        return
    new = state.branches.get(name)
    if new is None:
        for pull in concerned:
            close(state, pull)
        return
    arrived = set(state.git.commits(new, *([f"^{old}"] if old else [])))
    for pull in concerned:
        if pull.head_sha in arrived:
            _landed(state, pull, new)


def _landed(state: RepositoryState, pull: Pull, tip: str) -> None:
    """Its commits came into the base by a plain push: GitHub marks it merged."""
    after = state.git.commits("--first-parent", "--ancestry-path", tip, f"^{pull.head_sha}")
    mainline = state.git.commits("--first-parent", "--max-count=1000", tip)
    pull.merge_sha = pull.head_sha if pull.head_sha in mainline or not after else after[-1]
    pull.state, pull.auto_merge = "closed", None
    pull.closed_at = pull.merged_at = state.world.clock.stamp()
    pull.merged_by = state.owner
    state.touch(pull)
