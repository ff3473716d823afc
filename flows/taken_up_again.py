"""What a worker that is run again finds of its earlier run, beyond what each step finds by itself."""

from __future__ import annotations

import asyncio
from datetime import datetime

from prefect.context import FlowRunContext

from flows.wiring import open_workplace
from parallel_workers import messages
from parallel_workers.errors import ForgeError
from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.spec import TaskOrder
from parallel_workers.work_report import WorkReport


async def find_ended(order: TaskOrder) -> PullRequest | None:
    """The merged pull request of a worker that is taken up again; None for a new worker, or one not so far.

    Raises:
        ForgeError: a person closed it without merging; that is not undone by running again.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.run_count == 0:
        return None
    forge = open_workplace(order.repository).forge
    found = await asyncio.to_thread(forge.fetch_pull_requests, include_ended=True)
    begun = context.flow_run.created
    ours = [each for each in found if each.worker == order.worker and _is_since(each, begun)]
    last = max(ours, key=lambda each: each.number, default=None)
    if last is not None and last.state is PullRequestState.CLOSED:
        raise ForgeError(messages.closed_before(order, last.number))
    return last if last is not None and last.state is PullRequestState.MERGED else None


def _is_since(pull_request: PullRequest, begun: datetime | None) -> bool:
    """Whether it is of this flow run: a worker that was forgotten leaves pull requests of an earlier one behind."""
    return begun is None or datetime.fromisoformat(pull_request.created_at) >= begun.replace(microsecond=0)


async def is_still_there(order: TaskOrder, done: WorkReport) -> bool:
    """Whether the branch still holds the work: a kept result says nothing of what happened to it since."""
    if done.no_change_reason is not None:
        return True
    git = open_workplace(order.repository).git
    now = await asyncio.to_thread(git.get_branch_work, order.branch, done.base_sha)
    return bool(now.commits)
