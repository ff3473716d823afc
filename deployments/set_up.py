"""Everything `up` registers on a Prefect server: block type, work pool, limits, deployments, automations.

Safe to repeat: what is there is kept, and what operators have edited stays theirs.
"""

from __future__ import annotations

from typing import NamedTuple

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists

from blocks.forge import GitHubForge
from blocks.worktree_policy import WorktreePolicy
from deployments.automation_registration import find_notification_block, register_automation
from deployments.automations import batch_failed, needs_human, zombie_resumed, zombie_run
from deployments.deployed_flows import apply_deployment
from deployments.prefect_file import prefect_file, read_deployments
from flows.flow_names import WORK_POOL
from flows.limits import PUSH, agent_limit, rate_limits

AGENT_PROGRAMS = ("claude", "codex", "opencode", "gemini", "aider")
_SLOTS = {PUSH: 4} | {agent_limit(program): 10 for program in AGENT_PROGRAMS}
LIMITS = (
    *(GlobalConcurrencyLimitCreate(name=name, limit=slots) for name, slots in _SLOTS.items()),
    *rate_limits(),
)
"""Global concurrency limits as they are made; the operator's from then on."""

BLOCK_TYPES = (WorktreePolicy, GitHubForge)


class SetUp(NamedTuple):
    """What a set-up did, by name: `created`, `updated` or `unchanged`. `notifies`: a notification block was found."""

    work_pool: str
    limits: dict[str, str]
    deployments: dict[str, str]
    automations: dict[str, str]
    notifies: bool

    @property
    def changed(self) -> bool:
        """Whether the server is not as it was."""
        parts = (self.limits, self.deployments, self.automations)
        done = {self.work_pool, *(each for part in parts for each in part.values())}
        return done != {"unchanged"}


async def set_up() -> SetUp:
    """Register everything on the server Prefect is set to use."""
    async with get_client() as client:
        for block_type in BLOCK_TYPES:
            await block_type.register_type_and_schema(client=client)
        work_pool = await _ensure_work_pool(client)
        limits = {wanted.name: await _ensure_limit(client, wanted) for wanted in LIMITS}
        entries = read_deployments(prefect_file())
        deployments = {entry.name: await apply_deployment(client, entry) for entry in entries}
        block = await find_notification_block(client)
        wanted = [zombie_run(), zombie_resumed(), *([batch_failed(block), needs_human(block)] if block else [])]
        automations = {each.name: await register_automation(client, each) for each in wanted}
    return SetUp(work_pool, limits, dict(deployments), dict(automations), block is not None)


async def _ensure_work_pool(client: PrefectClient) -> str:
    try:
        await client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"))
    except ObjectAlreadyExists:
        return "unchanged"
    return "created"


async def _ensure_limit(client: PrefectClient, wanted: GlobalConcurrencyLimitCreate) -> str:
    try:
        await client.create_global_concurrency_limit(wanted)
    except ObjectAlreadyExists:
        return "unchanged"
    return "created"
