"""Back to work on an open pull request: from what is on the remote, with what reviewers, checks or the base say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from prefect import get_run_logger
from prefect.context import FlowRunContext, TaskRunContext

from flows.flow_names import LABEL_PREFIX
from flows.forge_credentials import secret_values
from flows.local_engine import current_engine
from flows.remembered import recall, write_down
from flows.wiring import workplace_of
from parallel_workers.crash_points import reach
from parallel_workers.decisions.merge_decisions import Rework, ReworkKind
from parallel_workers.errors import ForeignCommitsError
from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.rework import MAX_LOG, rework_prompt
from parallel_workers.spec import TaskOrder
from parallel_workers.work import WorkStart
from parallel_workers.worktrees import Joined

_PUSHES = 3


def rework_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """What a rework's result is kept under: this flow run and the reason, once for each time a person gave it again."""
    resets = (current_engine().session(parameters["order"]).memory or recall()).resets
    again = f"-{parameters['again']}" if parameters["again"] else ""
    return f"{context.task_run.flow_run_id}-rework-{resets}-{parameters['asked'].fingerprint}{again}"


async def note_begun(order: TaskOrder, asked: Rework, seen: PullRequest) -> None:
    """Write the rework down before it begins: a restart then goes on with it, and does it once."""
    session = current_engine().session(order)
    session.memory = (session.memory or recall()).begun(asked, seen.head_sha)
    await write_down(session.memory)


async def note_ended(order: TaskOrder, left_at: str = "") -> None:
    """The rework was done, or given up; it is not done again. `left_at` is the head when nothing was pushed for it.

    Written down before a person is asked: a worker that is ended in between asks when it goes on waiting.
    """
    session = current_engine().session(order)
    session.memory = (session.memory or recall()).ended(left_at)
    await write_down(session.memory)


async def begin_rework(order: TaskOrder, asked: Rework, seen: PullRequest) -> WorkStart:
    """Bring the worktree to where the remote is, and the base into it when that is the matter; what is left to do.

    Raises:
        RewrittenBranchError: somebody rewrote the remote's branch; nothing was changed.
    """
    git = workplace_of(order).git
    worktree = Path(order.worktree)
    theirs = await asyncio.to_thread(git.bring_up_to_remote, worktree, order.branch, _pushed_sha(order))
    since = theirs.their_sha or seen.head_sha
    if asked.kind is ReworkKind.CONFLICT and not theirs.conflicts:
        merged = await asyncio.to_thread(git.merge_base_into, worktree, order.branch, order.base_branch)
        reach("rework.base-joined")
        return await _start(order, asked, merged, merged.their_sha, since)
    await asyncio.to_thread(git.fetch_base, order.base_branch)
    fork = await asyncio.to_thread(git.find_fork, order.branch, order.base_branch)
    return await _start(order, asked, theirs, fork, since)


async def _start(order: TaskOrder, asked: Rework, joined: Joined, base_sha: str, since: str) -> WorkStart:
    if asked.kind is ReworkKind.CONFLICT and not joined.conflicts:
        get_run_logger().info("%s merges into %s without conflict; no agent is needed", order.base_branch, order.branch)
        return WorkStart(base_sha, since, needs_agent=False)
    forge = workplace_of(order).forge
    logs = {
        check.key or check.name: await asyncio.to_thread(forge.fetch_check_log, check, MAX_LOG)
        for check in asked.checks
    }
    return WorkStart(base_sha, since, rework_prompt(asked, logs, joined.conflicts, secret_values()), joined.conflicts)


async def find_ended(order: TaskOrder, opened: PullRequest | None) -> PullRequest | None:
    """The pull request as it is now, if it was merged or closed since; None while it is open, or there was none."""
    if opened is None:
        return None
    now = await asyncio.to_thread(workplace_of(order).forge.fetch_pull_request, opened.number)
    return now if now.state is not PullRequestState.OPEN else None


async def push(order: TaskOrder) -> str:
    """Push the branch; what others pushed on top of ours meanwhile is taken in first. The sha that is there now.

    Raises:
        ForeignCommitsError: theirs and ours do not go together without somebody who settles it, or are not related.
        RewrittenBranchError: somebody rewrote the remote's branch. Nothing was overwritten.
    """
    git, pushed = workplace_of(order).git, _pushed_sha(order)
    for _ in range(_PUSHES):
        try:
            return await asyncio.to_thread(git.push_branch, order.branch)
        except ForeignCommitsError:
            if not pushed:
                raise
            theirs = await asyncio.to_thread(git.bring_up_to_remote, Path(order.worktree), order.branch, pushed)
            if theirs.conflicts:
                raise
    return await asyncio.to_thread(git.push_branch, order.branch)


def _pushed_sha(order: TaskOrder) -> str:
    """What this run pushed last, as this process knows or an earlier one has recorded; '' for nothing."""
    opened = current_engine().session(order).pull_request
    if opened is not None:
        return opened.head_sha
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return str(run.labels.get(f"{LABEL_PREFIX}head_sha", "")) if run is not None else ""
