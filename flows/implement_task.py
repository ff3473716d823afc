"""One task spec, from a fresh worktree to a merged pull request. Read it from top to bottom: it is the lifecycle."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext
from prefect.states import Cancelled, Completed, Failed

from flows.agent_bench import bench_for
from flows.artifacts import publish_pull_request, publish_report
from flows.batch_wakening import wake_batch
from flows.events import worker_event
from flows.flow_names import IMPLEMENT_TASK
from flows.forge_credentials import secret_values, without_secrets
from flows.limits import forge_writes, opening_writes, push_slot, work_slot
from flows.local_engine import current_engine
from flows.merge_waiting import Wakened, ask_person, await_merge
from flows.reworking import begin_rework, find_ended, note_begun, note_ended, push, rework_key
from flows.steps import step
from flows.suspension import suspended_state
from flows.taken_up_again import (
    find_pushed,
    find_reviewed,
    is_still_in_branch,
    is_still_there,
    note_agent_runs,
    note_repeated,
    record_work,
)
from flows.wiring import workplace_of
from flows.worker_states import enter_state, prefect_state, record_facts
from flows.worker_turn import take_turn
from parallel_workers import messages
from parallel_workers.crash_points import reach
from parallel_workers.decisions.merge_decisions import Rework
from parallel_workers.errors import (
    AgentFailedError,
    ForeignCommitsError,
    ForgeError,
    GateFailedError,
    ParallelWorkersError,
    RewrittenBranchError,
    StoppedError,
)
from parallel_workers.lifecycle import WorkerState
from parallel_workers.pull_requests import PullRequest, PullRequestDraft, PullRequestState
from parallel_workers.spec import TaskOrder
from parallel_workers.work import WorkStart, carry_out, prepare, run_setup, work_fingerprint
from parallel_workers.work_report import WorkReport
from parallel_workers.worktrees import EnsuredWorktree, WorktreePlan

_GIVEN_BACK = (AgentFailedError, GateFailedError, ForeignCommitsError, RewrittenBranchError)
"""What ends a rework and not the worker: its pull request stays open, and a person is asked."""


@flow(
    name=IMPLEMENT_TASK,
    on_completion=[wake_batch],
    on_failure=[wake_batch],
    on_cancellation=[wake_batch],
    on_crashed=[wake_batch],
)
async def implement_task(order: TaskOrder) -> State[object]:
    """Carry one task spec from a fresh worktree to a merged pull request, and clean up behind it.

    Args:
        order: everything the worker needs, resolved from the batch file and the settings; run-batch makes it.
    """
    try:
        async with take_turn(order) as here:
            try:
                return await _implement(here)
            finally:
                await current_engine().session(here).entered()
    except StoppedError as stopped:
        return Cancelled(message=str(stopped))
    except ParallelWorkersError as error:
        worker_event(order, "needs_human", str(error))
        return Failed(message=without_secrets(str(error)))
    except OSError as error:
        worker_event(order, "needs_human", str(error))
        return Failed(message=messages.refused_by_the_machine(error))


async def _implement(order: TaskOrder) -> State[object]:
    done = None
    pull_request = await find_reviewed(order)
    if pull_request is None:
        worktree = await spawn(order)
        await _enter(order, WorkerState.NEEDS_INIT, messages.has_worktree(worktree))
        await init(order)
        await _enter(order, WorkerState.WORKING, f"{order.task.agent} is at work")
        done = await work(order, worktree.base_sha)
        note_repeated(order)
        reach("work.result-kept")
        if not await is_still_there(order, done):
            done = await work(order, worktree.base_sha, again=done.head_sha)
        if done.no_change_reason is not None:
            return await _end_without_change(order, done)
        await record_work(done)
        pull_request = await pr(order, done)
    async with current_engine().in_review(order, pull_request.number):
        while True:
            await _enter(order, WorkerState.PR_OPEN, f"#{pull_request.number} waits to be merged ({order.merge})")
            wakened = await merge_wait(order, pull_request)
            if wakened.rework is None:
                break
            pull_request, done = await _go_back_to_work(order, wakened.seen, wakened.rework, done)
    if not wakened.merged:
        return _let_go(order, wakened.waiting_for)
    return await _finish(order, wakened.seen, done)


async def _go_back_to_work(
    order: TaskOrder, seen: PullRequest, asked: Rework, done: WorkReport | None
) -> tuple[PullRequest, WorkReport | None]:
    """From PR_OPEN to WORKING, and the pull request as it is then. What the agent cannot do is left to a person."""
    await note_begun(order, asked, seen)
    reach("rework.noted")
    try:
        async with current_engine().work_room(order):
            await _enter(order, WorkerState.WORKING, asked.reason)
            await spawn(order)
            reworked = await rework(order, asked, seen)
            if not await is_still_in_branch(order, reworked):
                reworked = await rework(order, asked, seen, again=reworked.head_sha)
            reach("rework.result-kept")
        if reworked.no_change_reason is None:
            await record_work(reworked)
            seen = await pr(order, reworked, seen)
            reach("rework.handed-in")
            done = reworked if seen.state is PullRequestState.OPEN else done
    except _GIVEN_BACK as error:
        await note_ended(order, seen.head_sha)
        await ask_person(order, seen.number, messages.rework_failed(asked.reason), str(error))
        return seen, done
    await note_ended(order, seen.head_sha if reworked.no_change_reason is not None else "")
    reach("rework.noted-ended")
    if reworked.no_change_reason is not None:
        await ask_person(order, seen.number, messages.rework_refused(asked.reason), reworked.no_change_reason)
    return seen, done


def _work_key(context: TaskRunContext, parameters: dict[str, Any]) -> str:
    """What a result of `work` is kept under: this flow run, and whatever the agent can see of the order.

    Where the worktree is does not count: it is elsewhere on each machine.
    """
    order = parameters["order"].model_copy(update={"worktree": ""})
    seen = work_fingerprint(order, parameters["base_sha"], parameters["again"])
    return f"{context.task_run.flow_run_id}-{seen}"


@step("spawn")
async def spawn(order: TaskOrder) -> EnsuredWorktree:
    """Bring the base up to date, make or adopt worktree and branch, and set the worktree up."""
    git = (await asyncio.to_thread(workplace_of, order)).git  # the first time it may ask the forge
    base_sha = await asyncio.to_thread(git.fetch_base, order.base_branch)
    reach("spawn.base-fetched")
    pushed = await find_pushed(order)
    worktree = await asyncio.to_thread(git.ensure_worktree, _plan(order, pushed.head_sha if pushed else base_sha))
    if pushed:
        worktree = worktree._replace(base_sha=pushed.base_sha)
    if order.setup:
        async with bench_for(order, get_run_logger()) as bench:
            await bench.in_thread(run_setup, order)
    return worktree


@step("init")
async def init(order: TaskOrder) -> None:
    """Write the init prompt beside the worktree and see that the agent's program is there."""
    async with bench_for(order, get_run_logger()) as bench:
        await bench.in_thread(prepare, order)


@step("work", keep_result=CacheKeyFnPolicy(cache_key_fn=_work_key))
async def work(order: TaskOrder, base_sha: str, again: str = "") -> WorkReport:
    """Run the agent until there is evidence and every gate holds. Its result is kept: it is never paid for twice.

    `again` names the head of finished work that has vanished from the branch since.
    """
    if again:
        get_run_logger().warning("the work that ended in %s is no longer on %s; doing it again", again, order.branch)
    async with work_slot(order), bench_for(order, get_run_logger()) as bench:
        note_agent_runs(order)
        return await bench.in_thread(carry_out, order, WorkStart(base_sha))


@step("rework", keep_result=CacheKeyFnPolicy(cache_key_fn=rework_key))
async def rework(order: TaskOrder, asked: Rework, seen: PullRequest, again: str = "") -> WorkReport:
    """As `work`, from what is on the remote, with what reviewers, checks or the base say. Done once for each reason."""
    if again:
        get_run_logger().warning("the rework that ended in %s is not on %s; doing it again", again, order.branch)
    async with work_slot(order), bench_for(order, get_run_logger()) as bench:
        start = await begin_rework(order, asked, seen)
        return await bench.in_thread(carry_out, order, start)


@step("pr")
async def pr(order: TaskOrder, done: WorkReport, opened: PullRequest | None = None) -> PullRequest:
    """Push the branch and open its pull request, or find the one that is open already.

    After a rework, of `opened`: nothing is pushed or opened when a person merged or closed that one meanwhile.
    """
    forge = workplace_of(order).forge
    reach("pr.begun")
    ended = await find_ended(order, opened)
    if ended is not None:
        return ended
    async with push_slot(order):
        head_sha = await push(order)
    reach("pr.pushed")
    draft = PullRequestDraft(
        worker=order.worker,
        title=messages.pull_request_title(order.task, secret_values()),
        body=messages.pull_request_body(order, done, secret_values()),
        head_branch=order.branch,
        head_sha=head_sha,
        base_branch=order.base_branch,
        labels=messages.labels(order),
        milestone=order.milestone,
        creates_milestone=bool(order.pull_request.create_milestone),
        is_draft=bool(order.pull_request.draft),
        reviewers=order.pull_request.reviewers,
        assignees=order.pull_request.assignees,
    )
    async with forge_writes(order, opening_writes(order, draft)):
        pull_request = await find_ended(order, opened)  # once more: who waits for a slot may wait for long
        if pull_request is None:
            pull_request = await asyncio.to_thread(forge.ensure_pull_request, draft)
    reach("pr.opened")
    engine = current_engine()
    engine.session(order).pull_request = pull_request
    engine.observer.pull_request(order.task.id, pull_request.number, pull_request.url)
    await publish_pull_request(order, pull_request)
    await publish_report(order, done, pull_request)
    reach("pr.reported")
    await record_facts(
        base_sha=done.base_sha, head_sha=head_sha, pr_number=pull_request.number, pr_url=pull_request.url
    )
    reach("pr.recorded")
    return pull_request


@step("merge-wait")
async def merge_wait(order: TaskOrder, pull_request: PullRequest) -> Wakened:
    """Wait until the pull request is merged, or there is something to do for it; merge it when the policy is `auto`.

    An engine that does not wait, or stops, gets what there is still to wait for.
    """
    return await await_merge(order, pull_request)


@step("clean-up")
async def clean_up(order: TaskOrder, merged: PullRequest, base_sha: str) -> None:
    """See with our own eyes that the content is in the base; only then remove worktree and branch."""
    git, forge = workplace_of(order).git, workplace_of(order).forge
    reach("clean-up.begun")
    if not await asyncio.to_thread(forge.is_content_in_base, merged):
        raise ForgeError(f"#{merged.number} counts as merged, but its changes are not in {merged.base_branch}")
    reach("clean-up.verified")
    async with push_slot(order):  # the branch is deleted on the remote by a push
        await asyncio.to_thread(git.remove_worker, _plan(order, base_sha), merged.head_sha, was_pushed=True)
    reach("clean-up.ended")


async def _finish(order: TaskOrder, merged: PullRequest, done: WorkReport | None) -> State[object]:
    await clean_up(order, merged, done.base_sha if done else merged.head_sha)
    if done is not None:
        await publish_report(order, done, merged)
    reason = messages.merged(order, merged.number, merged.merge_sha)
    worker_event(order, "merged", reason)
    return prefect_state(WorkerState.MERGED, reason)


async def _enter(order: TaskOrder, state: WorkerState, reason: str) -> None:
    reason = without_secrets(reason)
    current_engine().state_changed(order, state, reason)
    worker_event(order, state.value.lower(), reason)
    await current_engine().session(order).enter(enter_state(state, reason))


def _let_go(order: TaskOrder, reason: str) -> State[object]:
    """A worker that waits for its merge goes on waiting without a process, unless it was called off."""
    if current_engine().session(order).stop.cancelled:
        return Cancelled(message=reason)
    return suspended_state(WorkerState.PR_OPEN.value, reason, order.review_timeout)


async def _end_without_change(order: TaskOrder, done: WorkReport) -> State[object]:
    git = workplace_of(order).git
    await asyncio.to_thread(git.remove_worker, _plan(order, done.base_sha), done.head_sha)
    await publish_report(order, done, None)
    return Completed(message=without_secrets(f"no change needed: {done.no_change_reason}"))


def _plan(order: TaskOrder, base_sha: str) -> WorktreePlan:
    return WorktreePlan(
        order.worker,
        order.branch,
        order.base_branch,
        base_sha,
        Path(order.worktree),
        order.task.paths,
        order.keep_ignored,
    )
