"""`up` and `down`: the embedded Prefect server."""

from __future__ import annotations

import click

from parallel_workers.cli.output import json_option, print_json, say


@click.command()
@json_option
def up(*, as_json: bool) -> None:
    """Start the embedded Prefect server and print its address.

    The UI is at that address. A server that runs already is left as it is; with PREFECT_API_URL or a Prefect
    profile that names a server, that one is used and nothing is started.
    """
    from deployments.embedded_server import ensure_server, find_configured_server

    if find_configured_server():
        say("A Prefect server is configured (PREFECT_API_URL or the active Prefect profile); it is used.")
    address = ensure_server(on_wait=lambda: say("Starting the Prefect server …"))
    if as_json:
        print_json(address)
    else:
        click.echo(address.ui_url)
        say(f"API: {address.api_url}")


@click.command()
@json_option
def down(*, as_json: bool) -> None:
    """Stop the embedded Prefect server.

    What it knows is kept for the next time.
    """
    from deployments.embedded_server import stop_server

    stopped = stop_server()
    if as_json:
        print_json({"stopped": stopped})
    else:
        say("The Prefect server is stopped." if stopped else "No embedded Prefect server was running.")
