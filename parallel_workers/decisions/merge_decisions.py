"""What can be decided about a pull request, and what it is decided from. Each decision says why in its `reason`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from parallel_workers.pull_request_snapshots import Check, PullRequestSnapshot, Remark
from parallel_workers.spec import DEFAULT_REWORK_ROUNDS, MergeMethod, MergePolicy


class ReworkKind(StrEnum):
    """What sends a worker back to work."""

    CHECKS = "checks"
    REVIEW = "review"
    CONFLICT = "conflict"


class Merged(NamedTuple):
    """It is merged; `merge_sha` is the commit on the base, when the forge tells it."""

    merge_sha: str | None
    reason: str


class Wait(NamedTuple):
    """Nothing to do now; look again later. With `needs_human`, a person has to be asked: nothing else will help."""

    reason: str
    needs_human: bool = False


class Rework(NamedTuple):
    """The agent is to go on: with the red `checks`, with the reviewers' `remarks`, or with a conflict (neither).

    Remember it (`rework_memory.remember`) before the agent runs, so that it is done once.
    """

    kind: ReworkKind
    fingerprint: str
    reason: str
    checks: tuple[Check, ...] = ()
    remarks: tuple[Remark, ...] = ()


class UpdateBranch(NamedTuple):
    """Merge the base into the branch on the forge, if its head still is `head_sha`.

    When the forge refuses: `refusals.remember_refused_update`; else `remember_not_yet`: the head should move.
    """

    head_sha: str
    reason: str


class EnableAutoMerge(NamedTuple):
    """Let the forge merge by itself. When it agrees: `refusals.remember_handed_over`.

    When it refuses: `rework_memory.remember_refused_auto_merge`.

    `to_queue`: it is ready, and only the forge's queue merges it. When that is refused: `refusals.remember_not_yet`.
    """

    method: MergeMethod
    head_sha: str
    reason: str
    to_queue: bool = False


class DisableAutoMerge(NamedTuple):
    """The forge is to merge by itself, and something turned up that it may not wait for: stop it from doing so.

    Then decide again, as if it did not (`is_auto_merging=False`): that tells what is to be done about it. When the
    forge refuses: `rework_memory.remember_lasting_auto_merge`; when it does: `refusals.forget_handed_over`.
    """

    reason: str


class Merge(NamedTuple):
    """Merge it now; `head_sha` is the head that was judged, so that no later push slips in.

    When the forge refuses although it showed nothing against it: `refusals.remember_refused_merge`; when it does not
    yet: `refusals.remember_not_yet`.
    """

    method: MergeMethod
    head_sha: str
    reason: str


class GiveUp(NamedTuple):
    """It will not be merged; the work is kept."""

    reason: str


MergeDecision = Merged | Wait | Rework | UpdateBranch | EnableAutoMerge | DisableAutoMerge | Merge | GiveUp


class MergeRules(NamedTuple):
    """What the user asked for: who merges, how, how often a worker is sent back, and into which base ("": any)."""

    policy: MergePolicy
    method: MergeMethod = MergeMethod.MERGE
    rework_rounds: int = DEFAULT_REWORK_ROUNDS
    base_branch: str = ""


class ReworkMemory(NamedTuple):
    """What a worker's run remembers across restarts: fingerprints of what was worked on, and rounds used.

    Conflicts are counted apart, by their fingerprints: see `reworking`.
    """

    handled: frozenset[str] = frozenset()
    rounds: int = 0


class Situation(NamedTuple):
    """All that one decision is made from. `front` is the pull request whose turn it is on this base."""

    snapshot: PullRequestSnapshot
    rules: MergeRules
    memory: ReworkMemory
    front: int | None
    now: datetime | None = None

    @property
    def name(self) -> str:
        """Such as `#7`."""
        return f"#{self.snapshot.pull_request.number}"

    @property
    def head_sha(self) -> str:
        """The commit that is judged."""
        return self.snapshot.pull_request.head_sha

    @property
    def moved_to(self) -> str:
        """The base that somebody changed it to; '' while it is the one that was ordered."""
        base, ordered = self.snapshot.pull_request.base_branch, self.rules.base_branch
        return base if ordered and base != ordered else ""

    @property
    def is_front(self) -> bool:
        """Whether it is this pull request's turn."""
        return self.snapshot.pull_request.number == self.front
