"""`list`, `get`, `logs`, `terminate` and `cleanup`: the workers that exist."""

from __future__ import annotations

import asyncio

import click

from parallel_workers.cli.output import json_option, print_json, print_json_line, print_table, say
from parallel_workers.cli.terminal_text import one_line
from parallel_workers.cli.worker_view import STATE, ask_about, ensure_server, find_worker, print_found, print_worker
from parallel_workers.lifecycle import WorkerState


@click.command("list")
@click.option("--state", type=STATE, help="Only workers in this state.")
@click.option("--project", help="Only workers of this project.")
@click.option("--batch", help="Only workers of this batch.")
@json_option
def list_(state: str | None, project: str | None, batch: str | None, *, as_json: bool) -> None:
    """List workers and how they stand."""
    wanted = WorkerState(state) if state else None
    print_found(state=wanted, project=project, batch=batch, as_json=as_json)


@click.command()
@click.argument("worker")
@json_option
def get(worker: str, *, as_json: bool) -> None:
    """Show one worker.

    WORKER is a worker's id, or its task's id when only one worker has it. Exit code 1 when there is none.
    """
    print_worker(find_worker(worker), as_json=as_json)


@click.command()
@click.argument("worker")
@click.option("--follow", "-f", is_flag=True, help="Go on until the worker has ended.")
@json_option
def logs(worker: str, *, follow: bool, as_json: bool) -> None:
    """Print what a worker and its agent said.

    With --json one JSON string per line.
    """
    record = find_worker(worker)

    async def print_lines() -> None:
        from flows.worker_states import read_worker_logs

        async for line in read_worker_logs(record.worker_id, follow=follow):
            if as_json:
                print_json_line(line)
            else:
                click.echo(one_line(line))

    asyncio.run(print_lines())


@click.command()
@click.argument("worker")
@click.option(
    "--force", is_flag=True, help="Remove its worktree too; what is not committed is saved to a rescue ref first."
)
@json_option
def terminate(worker: str, *, force: bool, as_json: bool) -> None:
    """Stop a worker; its work is kept.

    Its agent is ended and its flow run cancelled. Branch and pull request stay, and without --force so does the
    worktree, with what is not committed in it; running its batch again goes on with them. With --force the worktree is
    removed, even one that is locked; all that exists only there is saved to a rescue ref first, and how to get it back
    is said: see `parallel-workers rescue`. Exit code 1 when there is no such worker, it is merged already, its engine
    does not let go of it, or its worktree holds what cannot be saved.
    """
    ensure_server(worker, preload="flows.clean_up_workers")
    from flows.clean_up_workers import terminate as terminate_worker

    rescued: list[str] = []

    def say_removed(reason: str, rescue_ref: str | None) -> None:
        say(f"{worker}: {reason}.")
        rescued.extend([rescue_ref] if rescue_ref else [])

    record = ask_about(terminate_worker(worker, force=force, on_removed=say_removed))
    if as_json and force:
        print_json({**record._asdict(), "rescue_ref": rescued[0] if rescued else None})
    else:
        print_worker(record, as_json=as_json)


@click.command()
@click.option("--state", "states", type=STATE, multiple=True, help="Workers in this state; may be repeated. [MERGED]")
@click.option("--project", help="Only workers of this project.")
@json_option
def cleanup(states: tuple[str, ...], project: str | None, *, as_json: bool) -> None:
    """Remove worktrees that are done with.

    A worktree that holds uncommitted work, is locked, or belongs to a worker that a live engine runs, stays and is
    named with the reason. Branches, pull requests and the workers themselves stay, and so does whatever was rescued.
    Without --state it looks at MERGED ones.
    """
    from parallel_workers.cli.server_access import reach_server

    reach_server(preload="flows.clean_up_workers")
    from flows.clean_up_workers import clean_up

    wanted = tuple(WorkerState(state) for state in states) or (WorkerState.MERGED,)
    looked_at = asyncio.run(clean_up(wanted, project))
    if as_json:
        print_json(looked_at)
    else:
        rows = ((one.worker_id, one.task_id, "removed" if one.removed else "left", one.reason) for one in looked_at)
        print_table(("Worker", "Task", "Result", "Reason"), rows, "Nothing to clean up.")
