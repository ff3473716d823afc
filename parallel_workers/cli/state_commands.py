"""`state`: read and change worker states on the Prefect server."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import click

from parallel_workers.cli.output import json_option, say
from parallel_workers.cli.worker_view import (
    STATE,
    ask_about,
    ensure_server,
    find_worker,
    print_found,
    print_worker,
    shown_state,
)
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import WorkerRecord


@click.group()
def state() -> None:
    """Read and change the state of workers.

    UNKNOWN → NEEDS_INIT → WORKING → PR_OPEN → MERGED; an error leads back to UNKNOWN, requested changes from
    PR_OPEN to WORKING. The state is that of the worker's flow run on the Prefect server.
    """


@state.command("get")
@click.argument("worker")
@json_option
def get_state(worker: str, *, as_json: bool) -> None:
    """Print the state of a worker."""
    record = find_worker(worker)
    if as_json:
        print_worker(record, as_json=True)
    else:
        click.echo(shown_state(record))


@state.command("list")
@click.option("--state", "wanted", type=STATE, help="Only workers in this state.")
@json_option
def list_states(wanted: str | None, *, as_json: bool) -> None:
    """List workers and their states."""
    print_found(state=WorkerState(wanted) if wanted else None, as_json=as_json)


@state.command("set")
@click.argument("worker")
@click.argument("target", metavar="STATE", type=STATE)
@click.option("--reason", default="set by hand", show_default=True, help="Becomes the state's message.")
@json_option
def set_state(worker: str, target: str, reason: str, *, as_json: bool) -> None:
    """Set the state of a worker, where the lifecycle allows it.

    UNKNOWN is allowed from everywhere but MERGED and makes the worker runnable again.
    """
    ensure_server(worker)
    from flows.worker_states import set_worker_state

    _change(set_worker_state(worker, WorkerState(target), reason), as_json=as_json)


@state.command("transition")
@click.argument("worker")
@click.argument("origin", metavar="FROM", type=STATE)
@click.argument("target", metavar="TO", type=STATE)
@json_option
def transition(worker: str, origin: str, target: str, *, as_json: bool) -> None:
    """Move a worker from one state to another; refused when it is not in FROM."""
    ensure_server(worker)
    from flows.worker_states import transition_worker

    _change(transition_worker(worker, WorkerState(origin), WorkerState(target)), as_json=as_json)


@state.command("remove")
@click.argument("worker")
@json_option
def remove(worker: str, *, as_json: bool) -> None:
    """Forget a worker; its worktree, branch and pull request stay."""
    ensure_server(worker)
    from flows.worker_states import remove_worker

    record = ask_about(remove_worker(worker))
    if as_json:
        print_worker(record, as_json=True)
    else:
        say(f"{record.worker_id} ({record.task_id}) is forgotten.")


def _change(change: Coroutine[Any, Any, WorkerRecord], *, as_json: bool) -> None:
    record = ask_about(change)
    if as_json:
        print_worker(record, as_json=True)
    else:
        click.echo(f"{record.worker_id}  {shown_state(record)}")
