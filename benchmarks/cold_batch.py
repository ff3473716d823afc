"""A first run on a machine: no server, no data folder, twenty tasks, three at once; and Prefect alone beside it."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import NamedTuple

from benchmarks.batch_files import no_op_tasks, write_batch
from benchmarks.figures import Figure, Measurement, at_most
from benchmarks.options import Options
from benchmarks.process_memory import MB, Memory, PeakMemory
from benchmarks.product import fresh_product
from benchmarks.repositories import make_repository

_TASKS, _WORKERS = 20, 3
_MAX_SECONDS = 8.0
_MAX_MB = 400.0
_REPEATS = 3


class _Run(NamedTuple):
    seconds: float
    batch_seconds: float
    peak: Memory


def measure(options: Options) -> Measurement:
    """The whole command, cold start of server included; memory of everything it started, the server too."""
    timed = [_run(sampled=False) for _ in range(1 if options.quick else _REPEATS)]
    bare = [_run_bare_prefect() for _ in timed]
    sampled = _run(sampled=True)
    figures = (
        at_most("whole command", median(run.seconds for run in timed), "s", _MAX_SECONDS),
        Figure("of that the batch", median(run.batch_seconds for run in timed), "s"),
        Figure("Prefect alone: 20 cold flow runs of five empty steps", median(bare), "s"),
        at_most("peak of the process tree (PSS)", sampled.peak.pss / MB, "MB", _MAX_MB),
        Figure("peak of the process tree (sum of RSS)", sampled.peak.rss / MB, "MB"),
    )
    about = f"{_TASKS} no-op tasks, {_WORKERS} at once, cold start included, all in the base branch"
    return Measurement("cold-batch", about, figures, [*timed, sampled, bare])


def _run(*, sampled: bool) -> _Run:
    """One run in a fresh home. Memory is looked at in a run of its own, since looking costs time."""
    with fresh_product() as product:
        repository = make_repository(product.folder / "repository")
        spec = write_batch(product.folder / "batch.yml", repository, no_op_tasks(_TASKS), _WORKERS)
        begun = time.perf_counter()
        process = product.begin("run", str(spec), "--json")
        roots = [process.pid]
        memory = PeakMemory(lambda: [*roots, *([pid] if (pid := product.server_pid()) else [])])
        if sampled:
            with memory:
                said, _ = process.communicate()
        else:
            said, _ = process.communicate()
        seconds = time.perf_counter() - begun
        outcome = product.check_merged(process.returncode, said)
        missing = {f"TASK-{number:03}.txt" for number in range(1, _TASKS + 1)} - repository.base_files()
        if missing:
            raise RuntimeError(f"not in the base branch: {sorted(missing)}")
        return _Run(seconds, float(outcome["seconds"]), memory.peak)


def _run_bare_prefect() -> float:
    """Seconds for as many flow runs, as many at once, without git, agents or anything else of ours."""
    with fresh_product() as product:
        program = [sys.executable, "-m", "benchmarks.bare_prefect", str(_TASKS), str(_WORKERS)]
        said = subprocess.run(
            program,
            env=product.environment,
            cwd=product.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        return float(said.stdout)
