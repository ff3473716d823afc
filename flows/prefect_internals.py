"""What we use of Prefect's client beyond its public interface, all in this file; docs/upgrading.md says what for.

The server's side of it is in `deployments/immediate_transactions.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State, StateDetails
from prefect.filesystems import LocalFileSystem, WritableFileSystem
from prefect.flow_engine import run_flow_async
from prefect.settings.context import get_current_settings


async def run_in_this_process(flow: Flow[..., Any], run: FlowRun, parameters: Mapping[str, Any]) -> State[Any]:
    """Carry out a flow run that exists on the server already; its final state. Calling a flow makes a new run."""
    state = await run_flow_async(flow, flow_run=run, parameters=dict(parameters), return_type="state")
    assert isinstance(state, State)  # noqa: S101 - what return_type="state" means
    return state


def unsaved_folder(storage: WritableFileSystem) -> Path | None:
    """The folder of a result storage that is no saved block; None for any other storage."""
    if isinstance(storage, LocalFileSystem) and storage._block_document_id is None:
        return Path(storage.basepath or "")
    return None


def resumable_until(timeout: datetime, *, by_a_prefect_worker: bool) -> StateDetails:
    """Details of a PAUSED state whose process ends; Resume, in the UI or by us, schedules its run again."""
    return StateDetails(pause_reschedule=by_a_prefect_worker, pause_timeout=timeout)


def read_settings_again(api_url: str) -> None:
    """Let Prefect see a `PREFECT_API_URL` that was set after Prefect was imported."""
    import prefect.context

    if get_current_settings().api.url != api_url:
        # Prefect does the same after its plugins have run.
        prefect.context.refresh_global_settings_context()
