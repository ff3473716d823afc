"""What was worked on already: fingerprints, and what a run remembers after a rework, a refusal or a person's answer."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

from parallel_workers.decisions.merge_decisions import Rework, ReworkKind, ReworkMemory
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, Check, Remark

_HASH_LENGTH = 12
_GIVEN_BACK = "given-back"
_CONFLICT_PREFIX = f"{ReworkKind.CONFLICT}-"


def checks_fingerprint(head_sha: str, red: Iterable[Check]) -> str:
    """These checks, red on this head."""
    return _fingerprint(ReworkKind.CHECKS, head_sha, *sorted({check.name for check in red}))


def review_fingerprint(remarks: Iterable[Remark]) -> str:
    """These remarks together, on whatever head: a thread stays open when the branch moves."""
    return _fingerprint(ReworkKind.REVIEW, *sorted({remark.key for remark in remarks}))


def conflict_fingerprint(head_sha: str) -> str:
    """A conflict of this head, with whatever base.

    The base is not part of it: each commit on a busy base would be a new reason to work on the same conflict.
    """
    return _fingerprint(ReworkKind.CONFLICT, head_sha)


def count_conflicts(memory: ReworkMemory) -> int:
    """How many conflicts the worker was sent to settle."""
    return sum(handled.startswith(_CONFLICT_PREFIX) for handled in memory.handled)


def find_fresh(remarks: Iterable[Remark], memory: ReworkMemory) -> tuple[Remark, ...]:
    """The remarks that were not worked on yet, each by itself: resolving one makes no new reason of the others."""
    return tuple(remark for remark in remarks if review_fingerprint((remark,)) not in memory.handled)


def is_unanswered(head_sha: str, memory: ReworkMemory) -> bool:
    """Whether remarks were worked on while this was the head: nothing was pushed in answer to them (yet)."""
    return _answering(head_sha) in memory.handled


def remember(memory: ReworkMemory, rework: Rework, head_sha: str) -> ReworkMemory:
    """The memory with this rework in it: write it down before the agent runs. `head_sha` is the head it was decided on.

    A conflict uses up no round: who else merges into the base is not the worker's doing.
    """
    handled = {rework.fingerprint}
    if rework.kind is ReworkKind.REVIEW:
        handled |= {review_fingerprint((remark,)) for remark in rework.remarks} | {_answering(head_sha)}
    spent = 0 if rework.kind is ReworkKind.CONFLICT else 1
    return ReworkMemory(memory.handled | handled, memory.rounds + spent)


def remember_unchanged(memory: ReworkMemory, head_sha: str) -> ReworkMemory:
    """The memory after a rework that has ended and left this head as it is: what it was for still stands."""
    return memory._replace(handled=memory.handled | {_unchanged(head_sha)})


def is_unchanged(head_sha: str, memory: ReworkMemory) -> bool:
    """Whether a rework has ended and left this head as it is."""
    return _unchanged(head_sha) in memory.handled


def remember_refused_auto_merge(memory: ReworkMemory, head_sha: str) -> ReworkMemory:
    """The memory after the forge refused to merge this head by itself; it is not asked again for this head."""
    return memory._replace(handled=memory.handled | {_auto_merge(head_sha)})


def was_auto_merge_refused(head_sha: str, memory: ReworkMemory) -> bool:
    """Whether the forge was asked to merge this head by itself, and refused."""
    return _auto_merge(head_sha) in memory.handled


def remember_lasting_auto_merge(memory: ReworkMemory, head_sha: str) -> ReworkMemory:
    """The memory after the forge refused not to merge this head by itself; it is not asked again for this head."""
    return memory._replace(handled=memory.handled | {_lasting_auto_merge(head_sha)})


def is_auto_merge_lasting(head_sha: str, memory: ReworkMemory) -> bool:
    """Whether the forge was asked not to merge this head by itself any more, and refused."""
    return _lasting_auto_merge(head_sha) in memory.handled


def heed_label(memory: ReworkMemory, labels: Collection[str]) -> ReworkMemory:
    """The memory after a look at the labels: whoever takes NEEDS_HUMAN_LABEL off gives the worker all rounds again.

    Only a label that was *seen* counts as taken off: right after it was put on, a look may not show it yet.
    """
    if NEEDS_HUMAN_LABEL in labels:
        return memory._replace(handled=memory.handled | {_GIVEN_BACK})
    return ReworkMemory() if _GIVEN_BACK in memory.handled else memory


def _answering(head_sha: str) -> str:
    return _fingerprint("answering", head_sha)


def _unchanged(head_sha: str) -> str:
    return _fingerprint("unchanged", head_sha)


def _auto_merge(head_sha: str) -> str:
    return _fingerprint("auto-merge", head_sha)


def _lasting_auto_merge(head_sha: str) -> str:
    return _fingerprint("auto-merge-lasts", head_sha)


def _fingerprint(kind: str, *parts: str) -> str:
    """`kind` and a short hash: no spaces and no commas, so that many fit into one label."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}-{digest[:_HASH_LENGTH]}"
