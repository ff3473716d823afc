"""What `up` does: a server, everything registered on it, and here a Prefect worker and the watcher."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, NamedTuple

import click

from deployments.embedded_server import ensure_server, find_configured_server, find_server
from deployments.server_address import ServerAddress
from deployments.server_settings import HOST, PORT_VARIABLE
from parallel_workers.cli.output import print_json, say
from parallel_workers.locations import data_folder

if TYPE_CHECKING:
    from deployments.set_up import SetUp
    from deployments.standing_processes import Standing

_CONFIGURED = "A Prefect server is configured (PREFECT_API_URL or the active Prefect profile); it is used."
_NO_BLOCK = (
    "Nobody is told of failed batches: save a notification block (Slack, e-mail, webhook …) named "
    "parallel-workers-notify in the UI, and run this again."
)


class Hosted(NamedTuple):
    """What was registered, and what runs on this machine."""

    set_up: SetUp
    processes: list[Standing]


def start_server() -> ServerAddress:
    """The configured server, else the embedded one, started if need be. Raises ServerError when it does not answer."""
    from parallel_workers.cli.server_access import reach_server

    if find_configured_server():
        address = reach_server()
        say(_CONFIGURED)
        return address
    return ensure_server(on_wait=lambda: say("Starting the Prefect server …"))


def start_everything(poll_seconds: float) -> tuple[ServerAddress, Hosted]:
    """Server, registration, Prefect worker and watcher.

    Raises:
        ServerError: one of them does not come up.
    """
    from parallel_workers.cli.server_access import reach_server

    environment = dict(os.environ)  # before reaching the server sets things for this process alone
    configured = find_configured_server() is not None
    address = reach_server(preload="deployments.set_up")
    if configured:
        say(_CONFIGURED)
    from deployments.hosting import ensure_hosted
    from deployments.set_up import set_up
    from deployments.worker_readiness import wait_until_online

    data = data_folder()
    registered = asyncio.run(set_up())
    processes = ensure_hosted(address, data, environment, poll_seconds)
    asyncio.run(wait_until_online(data, processes))
    return address, Hosted(registered, processes)


def show(address: ServerAddress, hosted: Hosted | None = None, *, as_json: bool) -> None:
    """Print the address, and say what was done."""
    if as_json:
        more = _facts(hosted) if hosted else {}
        print_json({**address._asdict(), **more})
        return
    click.echo(address.ui_url)
    say(f"API: {address.api_url}")
    if hosted is None:
        return
    say("Deployments, limits and automations are " + ("registered." if hosted.set_up.changed else "as they were."))
    for process in hosted.processes:
        say(f"{process.name}: process {process.pid}{'' if process.started else ' (ran already)'}, log {process.log}")
    if not hosted.set_up.notifies:
        say(_NO_BLOCK)


def _facts(hosted: Hosted) -> dict[str, object]:
    processes = {
        process.name.replace("-", "_"): {"pid": process.pid, "started": process.started, "log": process.log}
        for process in hosted.processes
    }
    return {**processes, "registered": hosted.set_up._asdict()}


def print_commands(poll_seconds: float) -> None:
    """Print the plain commands; nothing is started and nothing changed."""
    configured, running = find_configured_server(), find_server()
    named = ServerAddress(configured, configured.removesuffix("/api")) if configured else None
    address = named or running or _future_address()
    if configured or running:
        os.environ["PREFECT_API_URL"] = address.api_url
    from deployments.printed_commands import find_block, printed_commands

    block = asyncio.run(find_block()) if configured or running else None
    for line in printed_commands(address, data_folder(), poll_seconds, block, embedded=not configured):
        click.echo(line)


def _future_address() -> ServerAddress:
    """Where the embedded server will be: on its port of last time, else on one that is free now."""
    memory = data_folder().server / "port"
    port = os.environ.get(PORT_VARIABLE) or (memory.read_text(encoding="utf-8").strip() if memory.is_file() else "")
    if not port:
        with socket.socket() as free:
            free.bind((HOST, 0))
            port = str(free.getsockname()[1])
    return ServerAddress(f"http://{HOST}:{port}/api", f"http://{HOST}:{port}", pid=0)
