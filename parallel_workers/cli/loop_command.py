"""`loop`: the watcher of pull requests, in the foreground."""

from __future__ import annotations

import asyncio
from datetime import datetime

import click

from parallel_workers.cli.boundary import ExitCode
from parallel_workers.cli.output import json_option, print_json_line, say
from parallel_workers.cli.terminal_text import one_line
from parallel_workers.progress import WorkerRecord

_POLL = click.FloatRange(min=0, min_open=True)


@click.command()
@click.option("--project", help="Only workers of this project.")
@click.option("--poll-interval", type=_POLL, default=5.0, show_default=True, help="Seconds between two looks.")
@click.option("--max-iterations", type=click.IntRange(min=1), help="End after so many looks.")
@click.option("--verbose", is_flag=True, help="Show Prefect's own log lines too.")
@json_option
def loop(project: str | None, poll_interval: float, max_iterations: int | None, *, verbose: bool, as_json: bool) -> int:
    """Watch open pull requests in the foreground.

    Workers whose pull request was merged, closed or may be merged go on; those that wait are listed at each look,
    with --json as one array per line. Ctrl-C ends it.
    """
    from parallel_workers.cli.server_access import reach_server

    reach_server(preload="flows.watch_pull_requests", verbose=verbose)
    from flows.watch_pull_requests import watch
    from parallel_workers.cli.stop_signals import run_until_stopped

    async def watch_here(stop: asyncio.Event) -> None:
        await watch(
            project=project,
            poll_seconds=poll_interval,
            max_iterations=max_iterations,
            stop=stop,
            on_look=print_json_line if as_json else _print_look,
        )

    _, stopped = run_until_stopped(watch_here, lambda: say("Stopping after this look …"), lambda: None)
    return ExitCode.INTERRUPTED if stopped else ExitCode.OK


def _print_look(waiting: tuple[WorkerRecord, ...]) -> None:
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    click.echo(f"{now} {len(waiting)} waiting" + (":" if waiting else ""))
    for record in waiting:
        click.echo(one_line(f"  {record.task_id} #{record.pr_number} {record.pr_url or ''} {record.reason}"))
