"""Carries out a batch in this process and shows it."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from parallel_workers.cli import batch_summary
from parallel_workers.cli.boundary import ExitCode
from parallel_workers.cli.output import print_json, print_table, say
from parallel_workers.cli.plain_progress import PlainProgress
from parallel_workers.cli.run_options import RunRequest
from parallel_workers.cli.stop_signals import run_until_stopped
from parallel_workers.cli.worker_keys import batch_label, outcome_keys
from parallel_workers.crash_points import reach

if TYPE_CHECKING:
    from parallel_workers.cli.live_table import LiveTable
    from parallel_workers.progress import BatchOutcome, ProgressObserver, WorkerRecord
    from parallel_workers.spec import BatchSpec


def run_batch_here(batch: BatchSpec, request: RunRequest, how_to_go_on: str) -> int:
    """Run the batch to its end, showing it on stderr and the outcome on stdout; the exit code.

    `how_to_go_on` is said when it was interrupted.
    """
    from parallel_workers.cli.server_access import reach_server

    address = reach_server(preload="flows.run_batch", verbose=request.verbose)
    outcome, stopped = _carry_out(batch, request)
    reach("batch.ended")
    repository = str(Path(batch.repository).resolve())
    if request.as_json:
        records = _read_records(batch)
        print_json(outcome_keys(outcome, batch, repository, {record.worker_id: record for record in records}))
    else:
        _print_outcome(outcome)
    say(batch_summary.how_to_look(repository, batch.base_branch, address.ui_url))
    if outcome.succeeded:
        return ExitCode.OK
    if stopped:
        say(how_to_go_on)
        return ExitCode.INTERRUPTED
    return ExitCode.FAILED


def _carry_out(batch: BatchSpec, request: RunRequest) -> tuple[BatchOutcome, bool]:
    """The outcome, and whether it was interrupted."""
    from flows.run_batch import RunOptions, carry_out

    options = RunOptions(request.worktree_root, request.policy, request.poll_interval, request.max_workers)
    observer, table = _choose_display(batch, verbose=request.verbose)

    async def shown(stop: asyncio.Event) -> BatchOutcome:
        async with table.shown() if table is not None else nullcontext():
            return await carry_out(batch, observer=observer, stop=stop, options=options)

    def leave() -> None:
        if table is not None:
            table.close()
        say("Leaving at once: agents are killed, their work is kept. Again not to wait until the server knows.")

    return run_until_stopped(shown, _say_stopping, leave)


def _say_stopping() -> None:
    say("Stopping: agents are ended, their work is kept. Again to leave at once.")


def _choose_display(batch: BatchSpec, *, verbose: bool) -> tuple[ProgressObserver, LiveTable | None]:
    """The live table where stderr is a terminal that can move its cursor; plain lines elsewhere."""
    from rich.console import Console

    console = Console(stderr=True)
    if verbose or not console.is_terminal or console.is_dumb_terminal:
        return PlainProgress(say, verbose=verbose), None
    from parallel_workers.cli.batch_progress import BatchProgress
    from parallel_workers.cli.live_table import LiveTable

    progress = BatchProgress((task.id, task.agent) for task in batch.tasks)
    return progress, LiveTable(progress, console)


def _read_records(batch: BatchSpec) -> tuple[WorkerRecord, ...]:
    """What the server knows of the batch's workers; nothing when it went away: the outcome is told all the same."""
    import httpx

    from flows.worker_states import list_workers

    try:
        return asyncio.run(list_workers(batch=batch_label(batch)))
    except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError is Prefect's "failed to reach API"
        say(f"The Prefect server cannot be asked how the workers stand: {error}")
        return ()


def _print_outcome(outcome: BatchOutcome) -> None:
    print_table(batch_summary.HEADINGS, batch_summary.rows(outcome), "")
    say(batch_summary.totals(outcome))
    for task in outcome.tasks:
        if task.result == "failed":
            say(f"See: parallel-workers logs {shlex.quote(task.task_id)}")
