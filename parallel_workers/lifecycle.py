"""Worker states and the changes between them (docs/architecture.md, Worker states)."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from parallel_workers.errors import TransitionError


class WorkerState(StrEnum):
    """Where a worker stands. The value is also the name of the Prefect state."""

    UNKNOWN = "UNKNOWN"
    NEEDS_INIT = "NEEDS_INIT"
    WORKING = "WORKING"
    PR_OPEN = "PR_OPEN"
    MERGED = "MERGED"


ALLOWED_TRANSITIONS = MappingProxyType(
    {
        WorkerState.UNKNOWN: frozenset({WorkerState.NEEDS_INIT}),
        WorkerState.NEEDS_INIT: frozenset({WorkerState.WORKING, WorkerState.UNKNOWN}),
        WorkerState.WORKING: frozenset({WorkerState.PR_OPEN, WorkerState.UNKNOWN}),
        WorkerState.PR_OPEN: frozenset({WorkerState.MERGED, WorkerState.WORKING, WorkerState.UNKNOWN}),
        WorkerState.MERGED: frozenset(),
    }
)

SLOT_STATES = frozenset({WorkerState.NEEDS_INIT, WorkerState.WORKING})
"""States in which a worker holds one of the batch's work slots."""


def ensure_transition(origin: WorkerState, target: WorkerState) -> None:
    """Return if a worker may go from `origin` to `target`.

    Raises:
        TransitionError: it may not; the message names the allowed targets.
    """
    allowed = ALLOWED_TRANSITIONS[origin]
    if target not in allowed:
        names = ", ".join(sorted(allowed)) or "none: it is terminal"
        raise TransitionError(f"{origin} → {target} is not allowed; from {origin}: {names}")
