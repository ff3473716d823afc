"""Named points at which a test can kill this process, to show that nothing is lost there."""

from __future__ import annotations

import os
import signal

from parallel_workers.errors import UsageError

CRASH_VARIABLE = "PARALLEL_WORKERS_CRASH_AT"
"""Set by tests only: the name of the point at which the process kills itself."""

CRASH_POINTS = (
    "batch.run-created",
    "batch.orders-prepared",
    "batch.worker-chosen",
    "worker.run-created",
    "worker.made-runnable",
    "spawn.base-fetched",
    "worktree.locked",
    "worktree.refs-created",
    "worktree.added",
    "worktree.noted",
    "worktree.confined",
    "worktree.checking-out",
    "worktree.checked-out",
    "set-up.step-ended",
    "set-up.noted",
    "init.prompt-written",
    "agent.started",
    "agent.ended",
    "work.committed",
    "work.gate-held",
    "work.gates-held",
    "work.result-kept",
    "pr.begun",
    "push.pushed",
    "pr.pushed",
    "forge.objects-stored",
    "forge.opened",
    "pr.opened",
    "pr.reported",
    "pr.recorded",
    "wait.begun",
    "merge.decided",
    "merge.made",
    "merge.landed",
    "clean-up.begun",
    "clean-up.verified",
    "removal.saved",
    "removal.noted",
    "removal.moved-aside",
    "removal.looked-again",
    "removal.half-deleted",
    "removal.folder-deleted",
    "removal.record-moved",
    "removal.worktree-removed",
    "removal.remote-branch-deleted",
    "removal.refs-deleted",
    "clean-up.ended",
    "worker.state-told",
    "batch.worker-ended",
    "batch.outcome-published",
    "batch.ended",
)
"""In the order in which a task that goes well reaches them."""

REWORK_POINTS = (
    "rework.noted",
    "rework.base-joined",
    "rework.result-kept",
    "rework.handed-in",
    "rework.noted-ended",
)
"""The same for a task that is sent back to work by a conflict."""


RESCUE_POINTS = (
    "rescue.files-stored",
    "rescue.commit-made",
    "rescue.ref-written",
)
"""The same for a removal that finds something to save."""

GITHUB_POINTS = (
    "github.pull-request-created",
    "github.label-created",
    "github.milestone-created",
    "github.pull-request-labelled",
    "github.reviewers-asked",
    "github.auto-merge-enabled",
    "github.auto-merge-disabled",
    "github.branch-updated",
    "github.text-changed",
    "github.merged",
    "github.comment-made",
    "github.labelled-for-person",
)
"""Right after GitHub has done what it was asked for, each of them in one or another course of events there."""


def check_crash_point() -> None:
    """Raise UsageError when a test asks for a point that there is not: it would show nothing."""
    asked = os.environ.get(CRASH_VARIABLE, "")
    known = (*CRASH_POINTS, *REWORK_POINTS, *RESCUE_POINTS, *GITHUB_POINTS)
    if asked and asked not in known:
        raise UsageError(f"{CRASH_VARIABLE}={asked}: no such point; there are: {', '.join(known)}")


def reach(point: str) -> None:
    """Say that `point` was reached; the process ends by SIGKILL, as by a kill -9, when a test asked for that."""
    if os.environ.get(CRASH_VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)
