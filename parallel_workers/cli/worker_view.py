"""How workers are shown, and how a verb gets at them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import click

from parallel_workers.cli.output import print_fields, print_json, print_table, say
from parallel_workers.errors import ParallelWorkersError, UsageError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import WorkerRecord

Answer = TypeVar("Answer")

_HEADINGS = ("Worker", "Task", "State", "Agent", "PR", "Changed", "Reason")
_MOMENT = len("2026-11-22T11:54:50")

STATE = click.Choice([state.value for state in WorkerState], case_sensitive=False)


def print_workers(records: Sequence[WorkerRecord], *, as_json: bool) -> None:
    """Workers as a table, or as a JSON array of records."""
    if as_json:
        print_json(records)
    else:
        print_table(_HEADINGS, (_cells(record) for record in records), "No workers.")


def _cells(record: WorkerRecord) -> tuple[str, ...]:
    number = f"#{record.pr_number}" if record.pr_number else ""
    changed = record.updated_at[:_MOMENT].replace("T", " ")
    return record.worker_id, record.task_id, shown_state(record), record.agent, number, changed, record.reason


def shown_state(record: WorkerRecord) -> str:
    """The worker state; UNKNOWN with Prefect's own word beside it, which says what kind of unknown."""
    if record.state is WorkerState.UNKNOWN and record.prefect_state not in {"", "UNKNOWN"}:
        return f"UNKNOWN ({record.prefect_state})"
    return record.state.value


def print_worker(record: WorkerRecord, *, as_json: bool) -> None:
    """One worker, a field per line, or as a JSON object."""
    if as_json:
        print_json(record)
    else:
        print_fields({**record._asdict(), "state": shown_state(record), "prefect_state": None})


def print_found(
    *, state: WorkerState | None = None, project: str | None = None, batch: str | None = None, as_json: bool
) -> None:
    """The workers of the server that runs. When none runs there are none, and that is said; starts no server."""
    from parallel_workers.cli.server_access import NO_SERVER, find_server

    if find_server() is None:
        say(NO_SERVER)
        if as_json:
            print_json([])
        return
    from flows.worker_states import list_workers

    found = asyncio.run(list_workers(state=state, project=project, batch=batch))
    print_workers(found, as_json=as_json)


def find_worker(worker: str) -> WorkerRecord:
    """One worker by its id, or by its task's when that is unique. Starts no server.

    Raises:
        ParallelWorkersError: there is none; exit code 1, since the question was well put.
    """
    ensure_server(worker)
    from flows.worker_states import get_worker

    return ask_about(get_worker(worker))


def ensure_server(worker: str, *, preload: str = "flows.worker_states") -> None:
    """Reach the server that knows `worker`, and import `preload`. Starts no server.

    Raises:
        ParallelWorkersError: none runs.
    """
    from parallel_workers.cli.server_access import find_server

    if find_server(preload=preload) is None:
        raise ParallelWorkersError(f"no worker {worker}: no Prefect server runs; start it with: parallel-workers up")


def ask_about(question: Coroutine[Any, Any, Answer]) -> Answer:
    """The answer to a question about one worker; that there is no such worker is an answer too, with exit code 1.

    Raises:
        ParallelWorkersError: there is none.
    """
    try:
        return asyncio.run(question)
    except UsageError as error:
        raise ParallelWorkersError(str(error)) from error
