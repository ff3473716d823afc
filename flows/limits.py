"""Prefect global concurrency limits that hold across machines: work slots, pushes, writes to GitHub, agent providers.

Operators make and edit them in the UI or with `prefect gcl`; `up` makes the ones that need no project's name. A limit
that the server does not have limits nothing and costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import PurePath
from typing import Any

from prefect import get_run_logger
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.asyncio import concurrency, rate_limit
from prefect.exceptions import ObjectAlreadyExists

from flows.local_engine import current_engine
from flows.prefect_clients import prefect_client
from flows.wiring import workplace_of
from parallel_workers.identity import slugify
from parallel_workers.pull_requests import PullRequestDraft
from parallel_workers.spec import ForgeKind, TaskOrder

PUSH = "parallel-workers:git-push"
WRITES_PER_MINUTE = "parallel-workers:github-writes-per-minute"
WRITES_PER_HOUR = "parallel-workers:github-writes-per-hour"
_WORK = "parallel-workers:work:"
_AGENT = "parallel-workers:agent:"
_LEASE_SECONDS = 90.0
"""A machine that vanishes gives its slots back after so long; Prefect renews the lease while we live."""
_LOOK_SECONDS = 3.0
"""How often one who waits for a slot looks whether it was told to stop."""


MERGE, UPDATE, ENABLE, COMMENT = 1, 1, 1, 2
"""Writes that a call comes to: a person is asked by a comment and a label."""
_AT_ONCE = 3
"""Slots taken in one go; more than the limit has would never be free together."""


def opening_writes(order: TaskOrder, draft: PullRequestDraft) -> int:
    """What opening a pull request comes to: making it, each kind of thing it is given, and labels and milestone.

    Those may have to be made, and are counted once per engine and repository.
    """
    given = (draft.labels, draft.milestone, draft.assignees, draft.reviewers)
    named = [f"label {label}" for label in draft.labels]
    if draft.milestone and draft.creates_milestone:
        named.append(f"milestone {draft.milestone}")
    return 1 + sum(map(bool, given)) + current_engine().meet(order.repository, named)


def rate_limits() -> tuple[GlobalConcurrencyLimitCreate, ...]:
    """The rates of content-creating requests that GitHub bears: about 80 a minute and 500 an hour, web UI included.

    Slots come back one after the other. So at most all slots and what comes back meanwhile are used in any minute
    (20 + 60) or hour (100 + 400). Documented by GitHub under `Rate limits for the REST API`, secondary rate limits.
    """
    return (
        GlobalConcurrencyLimitCreate(name=WRITES_PER_MINUTE, limit=20, slot_decay_per_second=1.0),
        GlobalConcurrencyLimitCreate(name=WRITES_PER_HOUR, limit=100, slot_decay_per_second=400 / 3600),
    )


def work_limit(project: str) -> str:
    """The limit of a project's work slots: how many of its agents are at work at once, on all machines together."""
    return f"{_WORK}{slugify(project)}"


def agent_limit(program: str) -> str:
    """The limit of an agent provider, named by the program that is run (`claude`, `codex` …)."""
    return f"{_AGENT}{slugify(PurePath(program).name)}"


async def ensure_work_limit(client: PrefectClient, project: str, slots: int) -> None:
    """Make the project's limit of work slots unless there is one; one that is there is the operator's."""
    wanted = GlobalConcurrencyLimitCreate(name=work_limit(project), limit=slots)
    try:
        await client.create_global_concurrency_limit(wanted)
    except ObjectAlreadyExists:
        return


async def read_limits() -> frozenset[str]:
    """The names of all global concurrency limits of the server that are ours."""
    names: set[str] = set()
    offset = 0
    async with prefect_client() as client:
        while page := await client.read_global_concurrency_limits(limit=200, offset=offset):
            names.update(limit.name for limit in page if limit.name.startswith("parallel-workers:"))
            offset += len(page)
    return frozenset(names)


@asynccontextmanager
async def work_slot(order: TaskOrder) -> AsyncIterator[None]:
    """Hold one of the project's work slots and one of the agent provider's, as far as there are such limits.

    Raises:
        StoppedError: the worker was told to stop while it waited.
    """
    async with _held(order, work_limit(order.project), agent_limit(order.agent.command[0])):
        yield


@asynccontextmanager
async def push_slot(order: TaskOrder) -> AsyncIterator[None]:
    """Hold a slot for a push. Raises StoppedError as `work_slot` does."""
    async with _held(order, PUSH):
        yield


@asynccontextmanager
async def forge_writes(order: TaskOrder, writes: int) -> AsyncIterator[None]:
    """Wait until the forge bears a call that comes to so many `writes`. Other forges than GitHub bear any number.

    Raises:
        StoppedError: the worker was told to stop while it waited.
    """
    await take_writes(order, workplace_of(order).choice.kind, writes)
    yield


async def take_writes(order: TaskOrder, kind: ForgeKind, writes: int) -> None:
    """As `forge_writes`, for a forge of this kind."""
    if kind is not ForgeKind.GITHUB:
        return
    wanted = await _wanted(WRITES_PER_MINUTE, WRITES_PER_HOUR)
    if wanted:
        # not in tries of a few seconds, as slots are: who stops waiting leaves nothing behind that has to be given back
        await current_engine().session(order).stop.race(_take_rate(wanted, writes))


async def _take_rate(wanted: list[str], writes: int) -> None:
    taking = asyncio.ensure_future(_take_slots(wanted, writes))
    try:
        done, _ = await asyncio.wait({taking}, timeout=_LOOK_SECONDS)
        if not done:
            get_run_logger().info("waits until %s allows more writes", ", ".join(wanted))
        await taking
    finally:
        taking.cancel()


async def _take_slots(wanted: list[str], writes: int) -> None:
    """Of the hour first: what is taken of the minute is used at once.

    Not of both in one call: Prefect may then make who waits for the minute wait as long as slots of the hour take to
    come back, nine seconds for each (its `_generate_concurrency_locked_response`).
    """
    for taken in range(0, writes, _AT_ONCE):
        for limit in wanted:
            await rate_limit(limit, occupy=min(_AT_ONCE, writes - taken))


@asynccontextmanager
async def _held(order: TaskOrder, *names: str) -> AsyncIterator[None]:
    wanted = await _wanted(*names)
    async with AsyncExitStack() as slots:

        async def take() -> None:
            slot = concurrency(wanted, occupy=1, timeout_seconds=_LOOK_SECONDS, lease_duration=_LEASE_SECONDS)
            await slots.enter_async_context(slot)

        await _until_taken(order, wanted, take)
        yield


async def _wanted(*names: str) -> list[str]:
    """Those of the limits that the server has."""
    return sorted((await current_engine().limits(read_limits)).intersection(names))


async def _until_taken(order: TaskOrder, wanted: list[str], take: Callable[[], Coroutine[Any, Any, None]]) -> None:
    stop, asked = current_engine().session(order).stop, False
    while wanted:
        try:
            await take()
            break
        except TimeoutError:  # Prefect's AcquireConcurrencySlotTimeoutError is one
            stop.check()
        if not asked:
            asked = True
            get_run_logger().info("waits for a slot of %s", ", ".join(wanted))
