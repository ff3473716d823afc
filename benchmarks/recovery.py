"""A batch whose engine is killed half-way: what the next run takes beyond the work that was left.

The work left is what an undisturbed run takes for as many new tasks as there are agents that had not ended: a command
of its own on the same server, as the next run is. Starting Python, worktrees, pull requests and merges are in both, so
that what is between them is what recovery costs; these have measurements of their own (`start-up`, `cold-batch`,
`engine-cost`). That the killed engine's finished agents may not have been merged yet counts against recovery.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.batch_files import NO_OP, AgentTask, write_batch
from benchmarks.figures import Figure, Measurement, at_most
from benchmarks.list_scheduling import makespan
from benchmarks.options import Options
from benchmarks.product import Product, fresh_product
from benchmarks.repositories import make_repository

_TASKS, _WORKERS = 20, 5
_AGENT_SECONDS = 2.0
_DONE_AT_KILL = 8
_MAX_SECONDS = 3.0
_REPEATS = 3
_KILL_TIMEOUT_SECONDS = 120.0


class _Run(NamedTuple):
    """`sleeping_seconds` is what the agents that had not ended sleep at the least, on as many workers.

    `first_agent` is when the first agent was at work, counted from the start of the command.
    """

    next_run_seconds: float
    undisturbed_seconds: float
    next_first_agent_seconds: float
    undisturbed_first_agent_seconds: float
    sleeping_seconds: float
    tasks_left: int

    @property
    def recovery_seconds(self) -> float:
        return self.next_run_seconds - self.undisturbed_seconds


def measure(options: Options) -> Measurement:
    """Killed with SIGKILL after the eighth agent's end; the server goes on. The next run starts Python and Prefect."""
    seconds = _AGENT_SECONDS * options.scale
    runs = [_run(seconds) for _ in range(1 if options.quick else _REPEATS)]
    figures = (
        at_most(
            "beyond an undisturbed run of the work left",
            median(run.recovery_seconds for run in runs),
            "s",
            _MAX_SECONDS,
        ),
        Figure("the next run", median(run.next_run_seconds for run in runs), "s"),
        Figure("an undisturbed run", median(run.undisturbed_seconds for run in runs), "s"),
        Figure("until an agent is at work again", median(run.next_first_agent_seconds for run in runs), "s"),
        Figure("the same undisturbed", median(run.undisturbed_first_agent_seconds for run in runs), "s"),
        Figure("agents left at the kill sleep", median(run.sleeping_seconds for run in runs), "s"),
        Figure("tasks left at the kill", median(run.tasks_left for run in runs), ""),
    )
    about = f"{_TASKS} tasks of {seconds:g} s, {_WORKERS} at once; killed when {_DONE_AT_KILL} agents are done"
    return Measurement("recovery", about, figures, runs)


def _run(seconds: float) -> _Run:
    with fresh_product() as product:
        journal, begun = product.folder / "journal", product.folder / "begun"
        repository = make_repository(product.folder / "repository")
        mark = f'test -e "{begun}" || : > "{begun}"'
        note = f'{mark}; sleep {seconds}; {NO_OP}; echo "$PARALLEL_WORKERS_TASK_ID" >> "{journal}"'
        tasks = [AgentTask(f"TASK-{number:03}", note) for number in range(1, _TASKS + 1)]
        spec = write_batch(product.folder / "batch.yml", repository, tasks, _WORKERS)
        ended = _kill_half_way(product, spec, journal)
        left = [seconds] * (_TASKS - ended)
        begun.unlink()
        at = time.time()
        next_run = product.run_batch(spec)
        first_again = begun.stat().st_mtime - at
        begun.unlink()
        new = [AgentTask(f"NEW-{number:03}", note) for number in range(len(left))]
        new_spec = write_batch(product.folder / "new.yml", repository, new, _WORKERS)
        at = time.time()
        undisturbed = product.run_batch(new_spec)
        return _Run(
            next_run.wall_seconds,
            undisturbed.wall_seconds,
            first_again,
            begun.stat().st_mtime - at,
            makespan(left, _WORKERS),
            len(left),
        )


def _kill_half_way(product: Product, spec: Path, journal: Path) -> int:
    """How many agents had ended when the engine was killed."""
    engine = product.begin("run", str(spec), "--json")
    deadline = time.monotonic() + _KILL_TIMEOUT_SECONDS
    while _count_ended(journal) < _DONE_AT_KILL:
        if engine.poll() is not None or time.monotonic() > deadline:
            engine.kill()
            product.fail("the engine did not come half-way", engine.communicate()[0])
        time.sleep(0.01)
    os.kill(engine.pid, signal.SIGKILL)
    engine.communicate()
    return _count_ended(journal)


def _count_ended(journal: Path) -> int:
    return len(set(journal.read_text(encoding="utf-8").split())) if journal.exists() else 0
