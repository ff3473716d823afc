"""The plain commands that `up` stands for, as a script to read or to paste into a shell."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.events.schemas.automations import AutomationCore

from deployments import hosting
from deployments.automation_registration import find_notification_block
from deployments.automations import batch_failed, needs_human, zombie_resumed, zombie_run
from deployments.prefect_file import prefect_file
from deployments.server_address import ServerAddress
from deployments.server_settings import PORT_VARIABLE
from deployments.set_up import BLOCK_TYPES, LIMITS
from deployments.standing_processes import StandingProcess, processes_folder
from flows.flow_names import WORK_POOL
from parallel_workers.locations import DataFolder

_PREFECT = '"$PYTHON" -m prefect'
_HEALTHY = (
    '"$PYTHON" -c "import sys, urllib.request as u; u.urlopen(sys.argv[1])" "$PREFECT_API_URL/health" 2>/dev/null'
)


def printed_commands(
    address: ServerAddress, data: DataFolder, poll_seconds: float, block: UUID | None, *, embedded: bool
) -> Iterator[str]:
    """Lines of a POSIX shell script that comes to the same; for an embedded server at `address`, it starts that too.

    The processes it starts are the shell's: `down` knows nothing of them.
    """
    yield f"PYTHON={shlex.quote(sys.executable)}"
    settings = hosting.process_environment({"PYTHONPATH": os.environ.get("PYTHONPATH", "")}, address, data)
    yield from (f"export {name}={shlex.quote(value)}" for name, value in sorted(settings.items()))
    yield f"mkdir -p {shlex.quote(str(processes_folder(data)))}"
    if embedded:
        yield from _server(address, data)
    yield from _registration(block)
    for wanted in (hosting.prefect_worker(), hosting.watcher(poll_seconds)):
        yield from _background(wanted, data)


def _server(address: ServerAddress, data: DataFolder) -> Iterator[str]:
    folder = shlex.quote(str(data.server))
    port = address.ui_url.rpartition(":")[2]
    yield ""
    yield "# The server: Prefect's own, with transactions that begin IMMEDIATE. One that runs already stays."
    yield f"mkdir -p {folder}"
    yield f'{PORT_VARIABLE}={port} nohup "$PYTHON" -P -m deployments.server_process {folder} >/dev/null 2>&1 &'
    yield f"until {_HEALTHY}; do sleep 1; done"


def _registration(block: UUID | None) -> Iterator[str]:
    yield ""
    yield "# What is there already is left as it is."
    yield from (f"{_PREFECT} block register --module {block_type.__module__}" for block_type in BLOCK_TYPES)
    yield f"{_PREFECT} work-pool create {WORK_POOL} --type process"
    yield from (_limit(each) for each in LIMITS)
    yield f"{_PREFECT} --no-prompt deploy --all --prefect-file {shlex.quote(str(prefect_file()))}"
    wanted = [zombie_run(), zombie_resumed(), *([batch_failed(block), needs_human(block)] if block else [])]
    yield from (_automation(each) for each in wanted)


def _limit(wanted: GlobalConcurrencyLimitCreate) -> str:
    decay = f" --slot-decay-per-second {wanted.slot_decay_per_second}" if wanted.slot_decay_per_second else ""
    return f"{_PREFECT} gcl create {wanted.name} --limit {wanted.limit}{decay}"


def _automation(wanted: AutomationCore) -> str:
    name = shlex.quote(wanted.name)
    said: Mapping[str, object] = wanted.model_dump(mode="json", exclude_none=True)
    return (
        f"{_PREFECT} automation inspect {name} >/dev/null 2>&1 || "
        f"{_PREFECT} automation create --from-json {shlex.quote(json.dumps(said))}"
    )


def _background(wanted: StandingProcess, data: DataFolder) -> Iterator[str]:
    log = shlex.quote(str(processes_folder(data) / f"{wanted.name}-by-hand.log"))
    yield ""
    yield f'nohup "$PYTHON" {shlex.join(wanted.command)} >>{log} 2>&1 &'


async def find_block() -> UUID | None:
    """The notification block on the server Prefect is set to use."""
    async with get_client() as client:
        return await find_notification_block(client)
