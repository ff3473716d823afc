"""`up` and `down`: the embedded Prefect server."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_workers.cli.output import json_option, print_json, say
from parallel_workers.errors import ParallelWorkersError
from parallel_workers.locations import data_folder


@click.command()
@json_option
def up(*, as_json: bool) -> None:
    """Start the embedded Prefect server and print its address.

    The UI is at that address. A server that runs already is left as it is; with PREFECT_API_URL or a Prefect
    profile that names a server, that one is used and nothing is started;
    exit code 1 when it does not answer.
    """
    from deployments.embedded_server import ensure_server, find_configured_server
    from parallel_workers.cli.server_access import reach_server

    if find_configured_server():
        address = reach_server()
        say("A Prefect server is configured (PREFECT_API_URL or the active Prefect profile); it is used.")
    else:
        address = ensure_server(on_wait=lambda: say("Starting the Prefect server …"))
    if as_json:
        print_json(address)
    else:
        click.echo(address.ui_url)
        say(f"API: {address.api_url}")


@click.command()
@click.option("--force", is_flag=True, help="Even while workers are at work: their runs break off.")
@json_option
def down(*, force: bool, as_json: bool) -> None:
    """Stop the embedded Prefect server.

    What it knows is kept for the next time. Refused, with exit code 1, while an engine on this machine runs workers.
    """
    from deployments.embedded_server import find_server, stop_server

    if not force and find_server() is not None:
        _refuse_while_at_work()
    stopped = stop_server()
    if as_json:
        print_json({"stopped": stopped})
    else:
        say("The Prefect server is stopped." if stopped else "No embedded Prefect server was running.")


def _refuse_while_at_work() -> None:
    live = find_live_workers(data_folder().locks)
    if live:
        count = f"{len(live)} worker{'s are' if len(live) > 1 else ' is'}"
        raise ParallelWorkersError(
            f"{count} at work: {', '.join(live)}; stop the run first (Ctrl-C, or parallel-workers "
            "terminate WORKER), or do it all the same: parallel-workers down --force"
        )


def find_live_workers(locks: Path) -> tuple[str, ...]:
    """Ids of the workers whose lock a live process holds; keeps none of them."""
    from filelock import FileLock, Timeout

    live = []
    for file in sorted(locks.glob("worker-*.lock")):
        try:
            with FileLock(file).acquire(timeout=0):
                pass
        except Timeout:
            live.append(file.stem)
    return tuple(live)
