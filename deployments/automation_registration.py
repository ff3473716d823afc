"""Makes automations, or brings them up to date by name; whether they are switched on stays as it is."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore

NOTIFICATION_BLOCK = "parallel-workers-notify"
"""The name of the block, of any type that notifies, through which people are told."""

Registered = Literal["created", "updated", "unchanged"]
_PAGE = 200


async def register_automation(client: PrefectClient, wanted: AutomationCore) -> Registered:
    """Make the automation of that name, or update it when it differs; an unchanged one keeps what it has counted."""
    found = await client.read_automations_by_name(wanted.name)
    if not found:
        await client.create_automation(wanted)
        return "created"
    existing = found[0]
    if _content(existing) == _content(wanted):
        return "unchanged"
    # The client sends only what was set, and an action without its `type`, which is a default, does nothing.
    content = wanted.model_dump(mode="json", exclude={"owner_resource"})
    whole = AutomationCore.model_validate(content | {"enabled": existing.enabled})
    await client.update_automation(existing.id, whole)
    return "updated"


def _content(automation: AutomationCore | Automation) -> dict[str, Any]:
    """What an automation says, without what the server adds to it."""
    said: dict[str, Any] = automation.model_dump(mode="json", include={"name", "description", "trigger", "actions"})
    return {name: _plain(value) for name, value in said.items()}


def _plain(value: Any) -> Any:
    """Without ids, and sets in one order."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if name != "id"}
    if isinstance(value, list):
        plain = [_plain(each) for each in value]
        return sorted(plain) if all(isinstance(each, str) for each in plain) else plain
    return value


async def find_notification_block(client: PrefectClient) -> UUID | None:
    """The id of the block named `parallel-workers-notify` that can notify; the oldest when several types have one."""
    offset = 0
    found = []
    while page := await client.read_block_documents(offset=offset, limit=_PAGE, include_secrets=False):
        offset += len(page)
        for document in page:
            able = document.block_schema is not None and "notify" in document.block_schema.capabilities
            if able and document.name == NOTIFICATION_BLOCK:
                found.append(document)
    return min(found, key=lambda document: str(document.created)).id if found else None
