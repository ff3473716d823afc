"""Which workers that wait without a process have something to do: one look for all of a repository's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from loguru import logger
from prefect.client.schemas.objects import FlowRun

from flows.flow_names import FORGE_PAUSE, LABEL_PREFIX
from flows.merge_waiting import rules_of
from flows.prefect_clients import prefect_client
from flows.pull_request_watch import Sight, Turn, sight_of
from flows.remembered import Remembered, read_remembered
from flows.wiring import workplace_of
from flows.worker_states import to_record
from parallel_workers.decisions.merge_decisions import Wait
from parallel_workers.decisions.merging import decide_merge, is_overdue
from parallel_workers.errors import ForgeBusyError
from parallel_workers.spec import TaskOrder


async def find_moved(
    waiting: Sequence[tuple[FlowRun, TaskOrder]], peers: Mapping[int, Turn], *, at_once: bool = False
) -> set[str]:
    """Ids of those workers of one repository whose pull request does not just wait; `peers` take turns with them.

    `at_once`: somebody told that something has moved, and a forge with a limit is to be asked all the same.

    It is decided from what each run remembers, as the run itself will decide. So a worker that can only wait is not
    woken again and again: only once, to ask for a person.

    Raises:
        ParallelWorkersError: the repository or its forge cannot be looked at.
    """
    forge = (await asyncio.to_thread(workplace_of, waiting[0][1])).forge
    try:
        seen = await asyncio.to_thread(forge.look, tuple({*peers, *_numbers(waiting)}), at_once=at_once)
    except ForgeBusyError as busy:
        await _tell_pause(waiting, str(busy))
        raise
    why = forge.waits_for_forge()
    await _tell_pause(waiting, why)
    if why:
        logger.info("{}", why)
        return set()
    if why := forge.hindrance():
        logger.info("{}", why)
    moved = set()
    for run, order in waiting:
        number = _number(run)
        if number is not None and await _has_moved(run, order, sight_of(number, seen, peers)):
            moved.add(order.worker)
    return moved


async def _has_moved(run: FlowRun, order: TaskOrder, sight: Sight) -> bool:
    snapshot = sight.snapshot
    if snapshot is None:
        return False
    before = read_remembered(run.labels)
    remembered = before.heeding(snapshot.pull_request.labels)
    decision = decide_merge(snapshot, rules_of(order), remembered.memory, sight.front, datetime.now(UTC))
    if before.pending:
        return True
    now = datetime.now(UTC)
    if run.deployment_id is not None and remembered.has_just_tried(decision, now.timestamp()):
        return is_overdue(snapshot.pull_request, order.review_timeout, now)
    if not isinstance(decision, Wait):
        return True
    if remembered != before:
        await _write_down(run, remembered)
    has_to_ask = decision.needs_human and not remembered.has_asked
    return has_to_ask or is_overdue(snapshot.pull_request, order.review_timeout, now)


async def _tell_pause(waiting: Sequence[tuple[FlowRun, TaskOrder]], why: str) -> None:
    """Show with each run why its forge is not asked. In a label: a state could be set over one just entered."""
    changed = [run for run, _ in waiting if str(run.labels.get(FORGE_PAUSE, "")) != why]
    if not changed:
        return
    async with prefect_client() as client:
        for run in changed:
            await client.update_flow_run_labels(run.id, {FORGE_PAUSE: why})


async def _write_down(run: FlowRun, remembered: Remembered) -> None:
    """A run that is left to wait still remembers what was seen of its pull request."""
    facts = {f"{LABEL_PREFIX}{name}": value for name, value in remembered.facts().items()}
    async with prefect_client() as client:
        await client.update_flow_run_labels(run.id, dict(facts))


def _numbers(waiting: Sequence[tuple[FlowRun, TaskOrder]]) -> list[int]:
    return [number for run, _ in waiting if (number := _number(run)) is not None]


def _number(run: FlowRun) -> int | None:
    return to_record(run).pr_number
