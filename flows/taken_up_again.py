"""What a worker that is run again finds of its earlier run, beyond what each step finds by itself."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, assert_never

from prefect.context import FlowRunContext

from flows.flow_names import LABEL_PREFIX
from flows.local_engine import current_engine
from flows.remembered import recall
from flows.steps import step
from flows.suspension import deployed_run
from flows.wiring import workplace_of
from flows.worker_states import record_facts
from parallel_workers import messages
from parallel_workers.decisions.reclaiming import (
    FinishMerged,
    GoOn,
    GoOnWaiting,
    LeaveClosed,
    Reclaimed,
    decide_reclaim,
)
from parallel_workers.errors import BaseBranchError, ForgeError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.pull_requests import PullRequest
from parallel_workers.spec import TaskOrder
from parallel_workers.work_report import WorkReport


class PushedWork(NamedTuple):
    """Finished work on the remote's branch: where it began, and its last commit."""

    base_sha: str
    head_sha: str


def note_agent_runs(order: TaskOrder) -> None:
    """The agent is about to run; say so when an earlier engine had it at work already."""
    engine = current_engine()
    session = engine.session(order)
    session.has_worked = True
    if session.is_taken_up:
        engine.state_changed(order, WorkerState.WORKING, messages.agent_runs_again(order))


def note_repeated(order: TaskOrder) -> None:
    """Say so when the work was not done now: its result was kept from an earlier engine."""
    engine = current_engine()
    if not engine.session(order).has_worked:
        engine.state_changed(order, WorkerState.WORKING, messages.work_was_kept(order))


async def record_work(done: WorkReport) -> None:
    """Write down what is about to be pushed: who takes the run up, maybe on another machine, knows it for ours."""
    if deployed_run() is not None:
        await record_facts(base_sha=done.base_sha, work_sha=done.head_sha)


async def find_pushed(order: TaskOrder) -> PushedWork | None:
    """What an earlier process of this run has pushed, when the remote's branch still is exactly that; brought here."""
    run = deployed_run()
    if run is None:
        return None
    facts = (str(run.labels.get(f"{LABEL_PREFIX}{name}", "")) for name in ("base_sha", "work_sha"))
    recorded = PushedWork(*facts)
    if not recorded.head_sha:
        return None
    try:
        there = await asyncio.to_thread(workplace_of(order).git.fetch_base, order.branch)
    except BaseBranchError:
        return None
    return recorded if there == recorded.head_sha else None


async def find_reviewed(order: TaskOrder) -> PullRequest | None:
    """The pull request, open or merged, that a worker that is taken up again has only to see through.

    None for a new worker, or one that has not come so far.

    Raises:
        ForgeError: a person closed it without merging; that is not undone by running again.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.run_count == 0:
        return None
    number = str(run.labels.get(f"{LABEL_PREFIX}pr_number", ""))
    # A suspended run has no process and maybe no worktree here; it trusts the forge. One that was stopped looks itself,
    # unless it was at a rework: what is in its worktree is not to be pushed before that has ended.
    is_handed_in = deployed_run() is not None and f"{LABEL_PREFIX}head_sha" in run.labels
    is_handed_in |= recall().has_reworked
    recorded = int(number) if number.isdecimal() else None
    return await _take_up(order, Reclaimed(order.worker, order.branch, run.created, recorded, is_handed_in))


@step("take-up")
async def _take_up(order: TaskOrder, run: Reclaimed) -> PullRequest | None:
    found = await asyncio.to_thread(_fetch_candidates, order, run.recorded)
    decision = decide_reclaim(found, run)
    match decision:
        case GoOn():
            return None
        case GoOnWaiting(pull_request=reviewed) | FinishMerged(pull_request=reviewed):
            return reviewed
        case LeaveClosed(pull_request=closed):
            raise ForgeError(messages.closed_before(order, closed.number))
        case _:
            assert_never(decision)


def _fetch_candidates(order: TaskOrder, recorded: int | None) -> tuple[PullRequest, ...]:
    """The pull request that the run has recorded, in one request; only when there is none, those of its branch."""
    forge = workplace_of(order).forge
    if recorded is not None:
        try:
            return (forge.fetch_pull_request(recorded),)
        except ForgeError as error:
            if error.transient:
                raise
    return forge.find_pull_requests(order.worker, order.branch)


async def is_still_there(order: TaskOrder, done: WorkReport) -> bool:
    """Whether the branch still holds the work: a kept result says nothing of what happened to it since."""
    if done.no_change_reason is not None:
        return True
    git = workplace_of(order).git
    now = await asyncio.to_thread(git.get_branch_work, order.branch, done.base_sha)
    return bool(now.commits)


async def is_still_in_branch(order: TaskOrder, done: WorkReport) -> bool:
    """Whether the branch holds just this rework: its kept result may be of another machine, which died with it."""
    if done.no_change_reason is not None:
        return True
    now = await asyncio.to_thread(workplace_of(order).git.get_branch_work, order.branch, done.base_sha)
    return done.head_sha in {now.head_sha, *(commit.sha for commit in now.commits)}
