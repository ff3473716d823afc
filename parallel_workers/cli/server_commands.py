"""`up` and `down`: the Prefect server, and on this machine a Prefect worker and the watcher of pull requests."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_workers.cli.output import json_option, print_json, say
from parallel_workers.errors import ParallelWorkersError
from parallel_workers.locations import data_folder

_POLL = click.FloatRange(min=0, min_open=True)


@click.command()
@click.option("--server-only", is_flag=True, help="Only the server; nothing is registered on it.")
@click.option(
    "--poll-interval", type=_POLL, default=5.0, show_default=True, help="Seconds between two looks of the watcher."
)
@click.option("--print", "print_only", is_flag=True, help="Start nothing; print the plain commands it stands for.")
@json_option
def up(*, server_only: bool, poll_interval: float, print_only: bool, as_json: bool) -> None:
    """Start server, Prefect worker and watcher.

    The address that it prints is the UI's. Deployments, limits and automations are registered on the server, and a
    Prefect worker and the watcher of pull requests are started on this machine. What runs already is left as it is,
    and what is missing is started: run it again after a restart of the machine, or to bring deployments and
    notifications up to date. With PREFECT_API_URL or a Prefect profile that names a server, that one is used, and only
    Prefect worker and watcher are started here; exit code 1 when it does not answer.
    """
    from parallel_workers.cli import hosting_up

    if print_only:
        hosting_up.print_commands(poll_interval)
    elif server_only:
        hosting_up.show(hosting_up.start_server(), as_json=as_json)
    else:
        hosting_up.show(*hosting_up.start_everything(poll_interval), as_json=as_json)


@click.command()
@click.option("--force", is_flag=True, help="Even while workers are at work: their runs break off.")
@json_option
def down(*, force: bool, as_json: bool) -> None:
    """Stop what `up` has started on this machine.

    The watcher, the Prefect worker, and last the server. What the server knows is kept
    for the next time. Refused, with exit code 1, while workers are at work on this machine; ones that wait for their
    merge have no process, and go on after the next `up`.
    """
    from deployments.embedded_server import find_server, stop_server
    from deployments.hosting import is_hosted, stop_hosted

    data = data_folder()
    if not force and (is_hosted(data) or find_server() is not None):
        _refuse_while_at_work()
    if is_hosted(data):
        say("Stopping the Prefect worker and the watcher …")
    hosted = stop_hosted(data)
    stopped = stop_server()
    if as_json:
        print_json({"stopped": stopped, **hosted})
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
