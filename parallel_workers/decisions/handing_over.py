"""Who merges and how: the forge by itself, as soon as it may, or we, now; and by which of the ways it allows."""

from __future__ import annotations

from parallel_workers.decisions.merge_decisions import EnableAutoMerge, Merge, MergeDecision, Situation, Wait
from parallel_workers.decisions.refusals import NotYet, hand_overs, not_yet, refused_merges
from parallel_workers.decisions.rework_memory import was_auto_merge_refused
from parallel_workers.pull_request_snapshots import CheckState, Mergeable, PullRequestSnapshot
from parallel_workers.spec import MergeMethod, MergePolicy

_NEXT_BEST = {
    MergeMethod.MERGE: (MergeMethod.SQUASH, MergeMethod.REBASE),
    MergeMethod.SQUASH: (MergeMethod.REBASE, MergeMethod.MERGE),
    MergeMethod.REBASE: (MergeMethod.SQUASH, MergeMethod.MERGE),
}
"""What comes nearest. Squash before rebase: an updated branch holds merge commits, which a rebase may not carry over.
Who asked for squash or rebase wants a base without merge commits."""


def choose_method(asked: MergeMethod, allowed: tuple[MergeMethod, ...]) -> MergeMethod | None:
    """The way to merge that comes nearest to the one asked for; None when none is allowed."""
    return next((method for method in (asked, *_NEXT_BEST[asked]) if method in allowed), None)


def hand_over_or_wait(situation: Situation, why: str) -> MergeDecision:
    """Let the forge merge by itself what may not be merged yet, where it offers to; else wait. `why` it may not.

    Only when nothing but required checks or a review is outstanding: the forge waits for these, and for nothing else.
    """
    snapshot = situation.snapshot
    method = choose_method(situation.rules.method, snapshot.allowed_methods)
    may = (
        situation.rules.policy is MergePolicy.AUTO
        and snapshot.can_auto_merge
        and not snapshot.is_auto_merging
        and not was_auto_merge_refused(situation.head_sha, situation.memory)
        and _lacks_only_what_the_forge_waits_for(snapshot)
    )
    if not may or method is None:
        return Wait(why)
    return EnableAutoMerge(
        method, situation.head_sha, f"{why}; then the forge merges it{_otherwise(situation, method)}"
    )


def was_let_go(situation: Situation) -> MergeDecision | None:
    """The forge agreed to merge this head by itself, and is not going to any more: somebody, or its queue, let it go.

    Our own change of mind is not meant: that is forgotten. A queue gets another chance.
    """
    snapshot, name = situation.snapshot, situation.name
    if situation.rules.policy is not MergePolicy.AUTO or snapshot.is_auto_merging:
        return None
    agreed = hand_overs(situation.memory, situation.head_sha)
    if agreed.may_still_show(situation.now):
        return Wait(f"{name} was given to the forge to merge it as soon as it may be")
    if not agreed.are_enough(has_queue=snapshot.has_queue):
        return None
    who = (
        f"the merge queue let {name} go {agreed.times} times"
        if snapshot.has_queue
        else (f"somebody switched off that the forge merges {name} as soon as it may be")
    )
    return Wait(f"a person is needed: {who}", needs_human=True)


def _lacks_only_what_the_forge_waits_for(snapshot: PullRequestSnapshot) -> bool:
    """Whether each check is known, and one that is not required is green already: it may turn red and hold nothing up.

    Right after a push no check has reported, and nobody can tell which will. What the forge refuses for another reason
    may be such a check, too.
    """
    awaited = any(check.required and check.state is CheckState.PENDING for check in snapshot.checks)
    return (
        bool(snapshot.checks)
        and all(
            check.state is CheckState.GREEN or (check.required and check.state is CheckState.PENDING)
            for check in snapshot.checks
        )
        and (awaited or not snapshot.is_awaiting_checks)
        and snapshot.mergeable is Mergeable.YES
        and not snapshot.is_behind
        and not snapshot.blocked_by
    )


def merge_now(situation: Situation) -> MergeDecision:
    """Nothing stands in the way: merge it, as asked or in the nearest way that the repository allows.

    Where the base has a merge queue it is given to that, and so is what the forge refuses to merge because of one.
    About what it refuses for another reason, although it shows nothing against it, a person is asked after a few times.
    """
    name, base = situation.name, situation.snapshot.pull_request.base_branch
    method = choose_method(situation.rules.method, situation.snapshot.allowed_methods)
    if method is None:
        return Wait(f"{name} may be merged, but the repository allows no way to: switch one on")
    how = f"{name} may be merged into {base}"
    refusals = refused_merges(situation.head_sha, situation.memory)
    if situation.snapshot.has_queue or refusals.ask_for_queue:
        return _queue(situation, method, how)
    if refusals.are_enough:
        return Wait(f"a person is needed: the forge refuses to merge {name}: {refusals.words}", needs_human=True)
    if (waits := wait_longer(situation, NotYet.MERGE, f"{name} is not merged yet")) is not None:
        return waits
    return Merge(method, situation.head_sha, how + _otherwise(situation, method))


def _queue(situation: Situation, method: MergeMethod, how: str) -> MergeDecision:
    """What it still lacks the queue says when it is asked; that may be a check which is about to report."""
    waits = wait_longer(situation, NotYet.QUEUE, f"the forge does not take {situation.name} into its merge queue")
    return waits or EnableAutoMerge(method, situation.head_sha, f"{how}, by the merge queue", to_queue=True)


def wait_longer(situation: Situation, what: NotYet, why: str) -> Wait | None:
    """Wait, since this was asked for just now in vain, or for a person, since it was so often; None to ask for it."""
    tries = not_yet(situation.memory, what, situation.head_sha)
    told = f"{why}: {tries.words}"
    if tries.are_enough:
        return Wait(f"a person is needed: {told}", needs_human=True)
    return Wait(told) if tries.is_too_soon(situation.now) else None


def _otherwise(situation: Situation, method: MergeMethod) -> str:
    asked = situation.rules.method
    return "" if method is asked else f" by {method}, since the repository does not allow {asked}"
