"""A batch and its workers' orders, resolved: what was asked for, over batch, repository settings and block."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import NamedTuple

from prefect import get_run_logger
from prefect.context import FlowRunContext

from flows.forge_credentials import load_credentials
from flows.local_engine import current_engine
from flows.suspension import deployed_run
from flows.wiring import open_workplace
from parallel_workers.profile_texts import fill_instructions
from parallel_workers.settings import SETTINGS_FILE, apply_settings, parse_settings, resolve_orders
from parallel_workers.spec import BatchSpec, MergePolicy, TaskOrder


class BatchParameters(NamedTuple):
    """What may be asked for beside the batch file; what is None is left to it. Seconds."""

    repository: str | None = None
    name: str | None = None
    merge: MergePolicy | None = None
    max_workers: int | None = None
    worktree_root: str | None = None
    policy_block: str | None = None
    poll_seconds: float = 5.0

    def over(self, batch: BatchSpec) -> BatchSpec:
        """The batch with what is asked for instead of what it says."""
        asked = {"merge": self.merge, "max_workers": self.max_workers}
        return batch.model_copy(update={key: value for key, value in asked.items() if value is not None})


async def prepare_orders(batch: BatchSpec, given: BatchParameters) -> tuple[BatchSpec, tuple[TaskOrder, ...]]:
    """The batch and its workers' orders: batch over repository settings (of the base branch) over block.

    For workers that may run on other machines the worktree root stays as it is written, `~` and all, and a URL a URL.
    """
    await load_credentials()
    git = (await asyncio.to_thread(open_workplace, batch.repository, batch.forge)).git
    base_sha = await asyncio.to_thread(git.fetch_base, batch.base_branch)
    text = await asyncio.to_thread(git.read_base_file, base_sha, SETTINGS_FILE)
    settings = parse_settings(text or "", f"{batch.base_branch}:{SETTINGS_FILE}")
    block = given.policy_block or settings.worktree_policy
    policy = await current_engine().policy(block)
    root = Path(given.worktree_root) if given.worktree_root else policy.written_root()
    if deployed_run() is None:
        root = await asyncio.to_thread(lambda: root.expanduser().absolute())
    orders = resolve_orders(batch, settings, git, root, given.poll_seconds, block)
    orders = await asyncio.to_thread(fill_instructions, orders, partial(git.read_base_file, base_sha))
    choice = (await asyncio.to_thread(open_workplace, batch.repository, orders[0].forge)).choice
    current_engine().observer.told(choice.reason)
    if FlowRunContext.get() is not None:  # `spawn` hands one task over without a run of its own
        get_run_logger().info(choice.reason)
    orders = tuple(order.model_copy(update={"forge": choice.kind}) for order in orders)
    if deployed_run() is not None:
        orders = tuple(order.model_copy(update={"repository": batch.repository}) for order in orders)
    return apply_settings(batch, settings), orders
