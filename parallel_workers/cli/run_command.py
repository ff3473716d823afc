"""`run`: a whole batch in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_workers.cli.run_options import RunRequest, run_options
from parallel_workers.cli.spec_commands import SPEC


@click.command()
@click.argument("spec", type=SPEC)
@run_options
def run(spec: Path, request: RunRequest) -> int:
    """Carry out a batch file until every task is merged or given up.

    Run again, it goes on where it stopped and leaves alone what is done. Exit code 1 when a task failed, 130 when
    it was interrupted: Ctrl-C stops the agents and keeps their work, a second one leaves at once.
    """
    from parallel_workers.cli.batch_file import how_to_go_on_with, read_batch
    from parallel_workers.cli.foreground_run import run_batch_here

    batch = read_batch(spec)
    return run_batch_here(batch, request, how_to_go_on_with(spec, batch, request))
