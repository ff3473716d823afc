"""What a worker's flow run remembers of its reworks, as labels: it survives restarts, suspension and other machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from prefect.context import FlowRunContext

from flows.flow_names import LABEL_PREFIX
from flows.worker_states import record_facts
from parallel_workers.decisions.merge_decisions import (
    Merge,
    MergeDecision,
    Rework,
    ReworkKind,
    ReworkMemory,
    UpdateBranch,
)
from parallel_workers.decisions.rework_memory import count_conflicts, heed_label, remember, remember_unchanged

_HANDLED, _ROUNDS, _PENDING, _RESETS = "handled", "rework_rounds", "rework", "rework_resets"
_ASKED = "asked-person"
_TRIED = "tried"
_QUIET_SECONDS = 120.0
"""So long nobody without a process is woken to try in vain what it tried before."""


class Remembered(NamedTuple):
    """`memory` is what decisions are made from. `pending` is the rework under way: its fingerprint first.

    A rework is written down before its agent runs, and `memory` is without it until it has ended: so a run that was
    ended in the middle decides on it again, and finds what was done. `resets` counts how often a person gave all
    rounds again: what was worked on before may then be worked on once more. `tried` is what the run last asked the
    forge for, of which head, and when; whatever came of it shows on the pull request.
    """

    memory: ReworkMemory = ReworkMemory()
    pending: tuple[str, ...] = ()
    resets: int = 0
    tried: str = ""

    @property
    def has_asked(self) -> bool:
        """Whether a person was asked for, and has not taken the label off since."""
        return _ASKED in self.memory.handled

    @property
    def has_reworked(self) -> bool:
        """Whether the run ever went back to work, or is about to; what the forge refused is no work."""
        return bool(self.memory.rounds or count_conflicts(self.memory) or self.pending or self.resets)

    @property
    def has_taken_turn(self) -> bool:
        """Whether the branch was, or is being, brought up to date with its base."""
        return count_conflicts(_with_pending(self)) > 0

    def with_asked(self) -> Remembered:
        """After a person was asked for."""
        return self._replace(memory=self.memory._replace(handled=self.memory.handled | {_ASKED}))

    def having_tried(self, decision: Merge | UpdateBranch, now: float) -> Remembered:
        """Before the forge is asked for this, at `now` (seconds since 1970)."""
        return self._replace(tried=f"{_trial(decision)}{now:.0f}")

    def has_just_tried(self, decision: MergeDecision, now: float) -> bool:
        """Whether the forge was asked for just this a short while ago, and it is still to be done."""
        if not isinstance(decision, Merge | UpdateBranch) or not self.tried.startswith(_trial(decision)):
            return False
        return now - float(self.tried.removeprefix(_trial(decision))) < _QUIET_SECONDS

    def heeding(self, labels: tuple[str, ...]) -> Remembered:
        """After a look at the pull request's labels."""
        memory = heed_label(self.memory, labels)
        if memory == self.memory:
            return self
        given_again = not memory.handled
        return Remembered(memory, () if given_again else self.pending, self.resets + given_again)

    def begun(self, rework: Rework, head_sha: str) -> Remembered:
        """With this rework under way."""
        added = remember(self.memory, rework, head_sha).handled - self.memory.handled - {rework.fingerprint}
        return self._replace(pending=(rework.fingerprint, *sorted(added)))

    def ended(self, left_at: str = "") -> Remembered:
        """With the rework under way done, or given up: it is not done again. `left_at`: a head that it did not move."""
        memory = _with_pending(self)
        return self._replace(memory=remember_unchanged(memory, left_at) if left_at else memory, pending=())

    def unfinished_conflict(self, name: str) -> Rework | None:
        """The conflict that an earlier process of the run was at. What it did may hide the conflict from the forge."""
        if not self.pending or not self.pending[0].startswith(f"{ReworkKind.CONFLICT}-"):
            return None
        return Rework(ReworkKind.CONFLICT, self.pending[0], f"{name} was in conflict; going on with that")

    def facts(self) -> dict[str, str | int]:
        """As labels, without their prefix. Whoever reads only these two finds a rework under way in them."""
        memory = _with_pending(self)
        return {
            _HANDLED: " ".join(sorted(memory.handled)),
            _ROUNDS: memory.rounds,
            _PENDING: " ".join(self.pending),
            _RESETS: self.resets,
            **({_TRIED: self.tried} if self.tried else {}),
        }


def _trial(decision: Merge | UpdateBranch) -> str:
    return f"{'merge' if isinstance(decision, Merge) else 'update'}:{decision.head_sha[:12]}:"


def _with_pending(remembered: Remembered) -> ReworkMemory:
    memory, pending = remembered.memory, remembered.pending
    spent = 1 if pending and not pending[0].startswith(f"{ReworkKind.CONFLICT}-") else 0
    return ReworkMemory(memory.handled | set(pending), memory.rounds + spent)


def read_remembered(labels: Mapping[str, object]) -> Remembered:
    """From the labels of a flow run."""

    def words(name: str) -> tuple[str, ...]:
        return tuple(str(labels.get(f"{LABEL_PREFIX}{name}", "")).split())

    def number(name: str) -> int:
        return int(str(labels.get(f"{LABEL_PREFIX}{name}", 0)))

    pending = words(_PENDING)
    spent = 1 if pending and not pending[0].startswith(f"{ReworkKind.CONFLICT}-") else 0
    memory = ReworkMemory(frozenset(words(_HANDLED)) - set(pending), max(0, number(_ROUNDS) - spent))
    return Remembered(memory, pending, number(_RESETS), str(labels.get(f"{LABEL_PREFIX}{_TRIED}", "")))


def recall() -> Remembered:
    """What the flow run this is called in remembered when its process took it up."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return read_remembered(run.labels) if run is not None else Remembered()


async def write_down(remembered: Remembered) -> None:
    """Remember it, on the labels of the flow run this is called in."""
    await record_facts(**remembered.facts())
