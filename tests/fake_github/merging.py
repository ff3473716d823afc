"""Merging, carried out in git: merge, squash, rebase, update of a branch, and auto-merge."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fake_github.bare_git import HEADS, GitFailedError
from tests.fake_github.calls import ApiError
from tests.fake_github.mergeability import is_behind, judge, objection_behind, objections, state_beside_queue
from tests.fake_github.pushes import take_in_refs
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Account, Pull

BASE_MODIFIED = "Base branch was modified. Review and try the merge again."
HEAD_MOVED = "expected head sha didn’t match current head ref."
NOT_MERGEABLE = "Pull Request is not mergeable"
_ALLOWED = {"merge": "allow_merge_commit", "squash": "allow_squash_merge", "rebase": "allow_rebase_merge"}
_NAMES = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}


@dataclass(frozen=True)
class MergeWish:
    """What the caller of a merge asks for."""

    caller: Account
    method: str = "merge"
    sha: str | None = None
    title: str | None = None
    message: str | None = None


def merge(state: RepositoryState, pull: Pull, wish: MergeWish) -> str:
    """Merge a pull request; the commit on the base.

    Raises:
        ApiError: 405 with the cause, or 409 when the head is not the one that was meant.
    """
    _refuse(state, pull, wish)
    base = state.branches[pull.base_branch]
    made = {"merge": _merge_commit, "squash": _squash, "rebase": _rebase}[wish.method](state, pull, base, wish)
    try:
        state.git.update_refs([f"update {HEADS}{pull.base_branch} {made} {base}"])
    except GitFailedError as error:  # somebody pushed in between
        raise ApiError(405, BASE_MODIFIED) from error
    pull.state, pull.merge_sha, pull.merged_by, pull.auto_merge = "closed", made, wish.caller, None
    pull.is_queued = False
    pull.closed_at = pull.merged_at = state.world.clock.stamp()
    state.touch(pull)
    if state.settings.delete_branch_on_merge and pull.head_branch in state.branches:
        state.git.update_refs([f"delete {HEADS}{pull.head_branch}"])
    take_in_refs(state)
    return made


def _refuse(state: RepositoryState, pull: Pull, wish: MergeWish) -> None:
    if pull.state != "open" or pull.base_branch not in state.branches:
        raise ApiError(405, NOT_MERGEABLE)
    if wish.sha is not None and wish.sha != pull.head_sha:
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    if pull.is_draft:
        raise ApiError(405, "Pull Request is still a draft")
    if not getattr(state.settings, _ALLOWED[wish.method]):
        raise ApiError(405, f"{_NAMES[wish.method]} are not allowed on this repository.")
    if state.settings.has_merge_queue and not pull.is_queued:
        raise ApiError(405, "Repository rule violations found\n\nChanges must be made through the merge queue\n\n")
    if not judge(state, pull):
        raise ApiError(405, NOT_MERGEABLE)
    if against := objections(state, pull):
        raise ApiError(405, " ".join(against))
    if is_behind(state, pull):
        raise ApiError(405, objection_behind(state, pull))
    if state.base_modified_answers > 0:
        state.base_modified_answers -= 1
        raise ApiError(405, BASE_MODIFIED)


def _merge_commit(state: RepositoryState, pull: Pull, base: str, wish: MergeWish) -> str:
    title = wish.title or f"Merge pull request #{pull.number} from {state.owner.login}/{pull.head_branch}"
    message = f"{title}\n\n{pull.title if wish.message is None else wish.message}\n"
    tree = state.git.merge(base, pull.head_sha).tree
    return state.git.commit(tree, [base, pull.head_sha], message, wish.caller.login)


def _squash(state: RepositoryState, pull: Pull, base: str, wish: MergeWish) -> str:
    title = wish.title or f"{pull.title} (#{pull.number})"
    message = f"{title}\n\n{wish.message or ''}".rstrip() + "\n"
    return state.git.commit(state.git.merge(base, pull.head_sha).tree, [base], message, wish.caller.login)


def _rebase(state: RepositoryState, pull: Pull, base: str, wish: MergeWish) -> str:
    onto = base
    for commit in reversed(state.git.commits("--no-merges", pull.head_sha, f"^{base}")):
        replayed = state.git.replay(commit, onto, wish.caller.login)
        if replayed is None:
            raise ApiError(405, "This branch can't be rebased")
        onto = replayed
    return onto


def update_branch(state: RepositoryState, pull: Pull, expected_head: str | None, caller: Account) -> None:
    """Merge the base into the head branch. Raises ApiError 422."""
    if expected_head is not None and expected_head != pull.head_sha:
        raise ApiError(422, HEAD_MOVED)
    if pull.state != "open" or pull.head_branch not in state.branches:
        raise ApiError(422, "Validation Failed")
    base = state.branches[pull.base_branch]
    if state.git.is_ancestor(base, pull.head_sha):
        raise ApiError(422, "There are no new commits on the base branch.")
    if not judge(state, pull):
        raise ApiError(422, "merge conflict between base and head")
    message = f"Merge branch '{pull.base_branch}' into {pull.head_branch}\n"
    tree = state.git.merge(pull.head_sha, base).tree
    made = state.git.commit(tree, [pull.head_sha, base], message, caller.login)
    try:
        state.git.update_refs([f"update {HEADS}{pull.head_branch} {made} {pull.head_sha}"])
    except GitFailedError as error:
        raise ApiError(422, HEAD_MOVED) from error
    take_in_refs(state)


def is_ready(state: RepositoryState, pull: Pull) -> bool:
    """Whether it may be merged now, or put into the queue, which brings it up to date by itself."""
    word = state_beside_queue(state, pull, mergeable=judge(state, pull))
    return word in {"clean", "unstable"} or (word == "behind" and state.settings.has_merge_queue)


def settle_auto_merges(state: RepositoryState) -> None:
    """Merge what waited for its checks and reviews, one after the other; or put it into the queue."""
    for pull in [pull for pull in state.open_pulls() if pull.auto_merge and not pull.is_queued]:
        wish = pull.auto_merge
        if wish is None or pull.state != "open":
            continue
        if not is_ready(state, pull):
            continue
        if state.settings.has_merge_queue:
            pull.is_queued = True
        else:
            merge(state, pull, MergeWish(wish.enabled_by, wish.method, None, wish.title, wish.message))
