"""Whether a pull request can be merged, found by a background job that only a read of it starts."""

from __future__ import annotations

from tests.fake_github.checks import colours
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Protection, Pull


def tips(state: RepositoryState, pull: Pull) -> tuple[str, str]:
    """Head of the pull request and tip of its base now."""
    return pull.head_sha, state.branches.get(pull.base_branch, pull.base_sha)


def judge(state: RepositoryState, pull: Pull) -> bool:
    """Find out now, without any null."""
    key = tips(state, pull)
    if pull.judged_for != key:
        head, base = key
        pull.is_mergeable = not state.git.merge(base, head).conflicts
        pull.judged_for = key
        pull.test_merge_sha = None
    return pull.is_mergeable


def read_mergeable(state: RepositoryState, pull: Pull) -> bool | None:
    """What a read answers: null at first after each push to head or base; null for an ended one."""
    if pull.state != "open":
        return None
    key = tips(state, pull)
    if pull.judged_for == key:
        return pull.is_mergeable
    if pull.asked_for != key:
        pull.asked_for, pull.null_answers = key, 0
    if pull.null_answers < state.null_answers:
        pull.null_answers += 1
        return None
    return judge(state, pull)


def trial_merge(state: RepositoryState, pull: Pull) -> str | None:
    """Sha of the test merge commit, once it is known that there is one."""
    if pull.judged_for != tips(state, pull) or not pull.is_mergeable:
        return None
    if pull.test_merge_sha is None:
        head, base = pull.judged_for
        tree = state.git.merge(base, head).tree
        pull.test_merge_sha = state.git.commit(tree, [base, head], f"Merge {head} into {base}")
        state.git.update_refs([f"update refs/pull/{pull.number}/merge {pull.test_merge_sha}"])
    return pull.test_merge_sha


def review_decision(state: RepositoryState, pull: Pull) -> str | None:
    """APPROVED, CHANGES_REQUESTED or REVIEW_REQUIRED; None when the base asks for no reviews."""
    needed = state.protections.get(pull.base_branch, Protection()).required_reviews
    if not needed:
        return None
    words = list(latest_opinions(pull).values())
    if "CHANGES_REQUESTED" in words:
        return "CHANGES_REQUESTED"
    return "APPROVED" if words.count("APPROVED") >= needed else "REVIEW_REQUIRED"


def latest_opinions(pull: Pull) -> dict[str, str]:
    """Each reviewer's latest review that is more than a comment."""
    return {review.author.login: review.state for review in pull.reviews if review.state != "COMMENTED"}


def objections(state: RepositoryState, pull: Pull) -> list[str]:
    """Why the rules of the base forbid the merge, as the merge endpoint words it."""
    rules = state.protections.get(pull.base_branch)
    if rules is None:
        return []
    said = colours(state, pull.head_sha)
    verbs = {"red": "is failing", "pending": "is in progress"}
    found = [
        f'Required status check "{name}" {verbs.get(said.get(name, ""), "is expected")}.'
        for name in rules.required_checks
        if said.get(name) != "green"
    ]
    decision = review_decision(state, pull)
    if decision == "CHANGES_REQUESTED":
        found.append("Changes have been requested on this pull request.")
    if decision == "REVIEW_REQUIRED":
        found.append(f"At least {rules.required_reviews} approving review is required by reviewers with write access.")
    return found


def is_behind(state: RepositoryState, pull: Pull) -> bool:
    """Its base asks for up-to-date branches, and this one is not."""
    rules = state.protections.get(pull.base_branch)
    if rules is None or not rules.is_strict:
        return False
    head, base = tips(state, pull)
    return not state.git.is_ancestor(base, head)


def merge_state(state: RepositoryState, pull: Pull, *, mergeable: bool | None) -> str:
    """`mergeable_state` for an answer that says this about `mergeable`."""
    if pull.state != "open" or mergeable is None:
        return "unknown"
    if not mergeable:
        return "dirty"
    if pull.is_draft:
        return "draft"
    if objections(state, pull):
        return "blocked"
    if is_behind(state, pull):
        return "behind"
    return "clean" if set(colours(state, pull.head_sha).values()) <= {"green"} else "unstable"
