"""Reaches the Prefect server, and brings in Prefect itself only when its settings stand."""

from __future__ import annotations

import asyncio
import gc
import os
from importlib import import_module

from deployments import embedded_server
from deployments.embedded_server import ServerAddress
from parallel_workers.cli.log_lines import route_log
from parallel_workers.cli.output import say
from parallel_workers.errors import ServerError
from parallel_workers.locations import PAGES_VARIABLE, data_folder

_HEALTH_TIMEOUT_SECONDS = 10.0
NO_SERVER = "No Prefect server runs, so no worker is at work. See earlier ones after: parallel-workers up"


def reach_server(*, preload: str = "flows.worker_states", verbose: bool = False) -> ServerAddress:
    """The configured Prefect server, else the embedded one, started if need be; ready, and Prefect imported.

    Afterwards Prefect's client in this process talks to that server. The embedded one boots while `preload`, the
    module the caller needs next, is imported here with Prefect; both take a second or more.

    Raises:
        ServerError: the configured server does not answer, or the embedded one does not get ready.
    """
    configured = embedded_server.find_configured_server()
    starting = embedded_server.begin_server()
    if not configured and not starting.is_ready:
        say("Starting the Prefect server …")
    _import_prefect(preload, embedded=not configured, verbose=verbose)
    if configured:
        asyncio.run(_ensure_answering(configured))
    address = starting.wait_ready()
    if not configured:
        _show_pages_at(address)
        _point_client_to(address.api_url)
    return address


def find_server(*, preload: str = "flows.worker_states", verbose: bool = False) -> ServerAddress | None:
    """The server if it runs, and Prefect imported; None, and Prefect left alone, when none does. Starts nothing.

    Raises:
        ServerError: the configured server does not answer.
    """
    configured = embedded_server.find_configured_server()
    running = None if configured else embedded_server.find_server()
    if configured:
        return reach_server(preload=preload, verbose=verbose)
    if running is not None:
        os.environ["PREFECT_API_URL"] = running.api_url
        _show_pages_at(running)
        _import_prefect(preload, embedded=True, verbose=verbose)
    return running


def _import_prefect(preload: str, *, embedded: bool, verbose: bool) -> None:
    """Import `preload`, and with it Prefect, which reads its settings from the environment while it is imported."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    if not verbose:
        # Prefect's console lines would run through the live table; they are in the UI and in `logs` all the same.
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    if embedded:
        os.environ.setdefault("PREFECT_HOME", str(data_folder().root / "prefect"))
    # Nothing of what Prefect's import makes is garbage: looking for it takes 0.4 s, and then again and again.
    gc.disable()
    import_module(preload)
    gc.freeze()
    gc.enable()
    route_log(verbose=verbose)


def _show_pages_at(address: ServerAddress) -> None:
    os.environ[PAGES_VARIABLE] = f"{address.ui_url}/pulls"


def _point_client_to(api_url: str) -> None:
    """Give Prefect the address of a server that came up after Prefect was imported."""
    from flows.prefect_internals import read_settings_again

    os.environ["PREFECT_API_URL"] = api_url
    read_settings_again(api_url)


async def _ensure_answering(api_url: str) -> None:
    from prefect.client.orchestration import get_client

    async with get_client() as client:
        try:
            failure = await asyncio.wait_for(client.api_healthcheck(), _HEALTH_TIMEOUT_SECONDS)
        except TimeoutError:
            failure = TimeoutError(f"no answer within {_HEALTH_TIMEOUT_SECONDS:.0f} s")
    if failure is not None:
        raise ServerError(
            f"the Prefect server at {api_url} does not answer: {failure or type(failure).__name__}; "
            "start it, or unset PREFECT_API_URL (or its Prefect profile) to use the embedded one"
        )
