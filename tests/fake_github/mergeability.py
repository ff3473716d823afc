"""Whether a pull request can be merged, found by a background job that only a read of it starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.fake_github.checks import colours
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Protection, Pull

_MANY = 3


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


def judge_asked(state: RepositoryState, pulls: Iterable[Pull]) -> None:
    """Find out at one go about those whose next read would do it: only for speed."""
    waiting = [pull for pull in pulls if pull.state == "open" and _is_due(state, pull)]
    keys = [tips(state, pull) for pull in waiting]
    if len(waiting) < _MANY:
        return
    merged = state.git.merge_many([(base, head) for head, base in keys])
    for pull, key, result in zip(waiting, keys, merged, strict=True):
        pull.judged_for, pull.is_mergeable, pull.test_merge_sha = key, not result.conflicts, None


def _is_due(state: RepositoryState, pull: Pull) -> bool:
    key = tips(state, pull)
    return pull.judged_for != key and pull.asked_for == key and pull.null_answers >= state.null_answers


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
    """APPROVED, CHANGES_REQUESTED or REVIEW_REQUIRED; None when the base asks for no reviews.

    Only reviewers with write access count.
    """
    needed = state.protections.get(pull.base_branch, Protection()).required_reviews
    if not needed:
        return None
    said = latest_opinions(pull).items()
    words = [word for login, word in said if state.permission_of(login) in {"write", "admin"}]
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
    kinds = {"red": "failing", "pending": "in progress"}
    missing = {name: kinds.get(said.get(name, ""), "expected") for name in rules.required_checks}
    found = word_missing_checks({name: kind for name, kind in missing.items() if said.get(name) != "green"}, rules)
    decision = review_decision(state, pull)
    if decision == "CHANGES_REQUESTED":
        found.append("Changes have been requested on this pull request.")
    if decision == "REVIEW_REQUIRED":
        found.append(f"At least {rules.required_reviews} approving review is required by reviewers with write access.")
    return found


def word_missing_checks(missing: dict[str, str], rules: Protection) -> list[str]:
    """GitHub's sentence about required checks that are failing, in progress or expected; none for none."""
    total, kinds = len(rules.required_checks), set(missing.values())
    if not missing:
        return []
    if total == 1:
        ((name, kind),) = missing.items()
        return [f'Required status check "{name}" is {kind}.']
    if len(kinds) == 1:
        return [f"{len(missing)} of {total} required status checks are {kinds.pop()}."]
    counts = " and ".join(f"{count} {kind}" for kind, count in sorted(Counter(missing.values()).items()))
    return [f"{len(missing)} of {total} required status checks have not succeeded: {counts}."]


def objection_behind(state: RepositoryState, pull: Pull) -> str:
    """What the merge endpoint says of a branch that is behind: its checks, green as they are, count as not there."""
    rules = state.protections.get(pull.base_branch, Protection())
    expected = word_missing_checks(dict.fromkeys(rules.required_checks, "expected"), rules)
    return "".join(expected) or "Head branch is out of date. Review and try the merge again."


def is_behind(state: RepositoryState, pull: Pull) -> bool:
    """Its base asks for up-to-date branches, and this one is not."""
    rules = state.protections.get(pull.base_branch)
    if rules is None or not rules.is_strict:
        return False
    head, base = tips(state, pull)
    return not state.git.is_ancestor(base, head)


def merge_state(state: RepositoryState, pull: Pull, *, mergeable: bool | None) -> str:
    """`mergeable_state` for an answer that says this about `mergeable`: a base with a queue is closed to merges."""
    word = state_beside_queue(state, pull, mergeable=mergeable)
    is_closed = state.settings.has_merge_queue and word in {"clean", "unstable", "behind"}
    return "blocked" if is_closed else word


def state_beside_queue(state: RepositoryState, pull: Pull, *, mergeable: bool | None) -> str:
    """The same, as if there were no merge queue."""
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
