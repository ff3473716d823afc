"""Times the bare shell script that does a batch's git work and nothing else."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.repositories import IDENTITY, make_repository

_SCRIPT = Path(__file__).with_name("git_floor.sh")


class Floor(NamedTuple):
    """Seconds per task, one task after the other: on the clock, and of the processor."""

    seconds: float
    cpu_seconds: float


def time_floor(folder: Path, tasks: int) -> Floor:
    """The cost of the script on a fresh repository in `folder`. Only while no other child of this process ends."""
    repository = make_repository(folder)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **IDENTITY}
    script = ["sh", str(_SCRIPT), str(repository.clone), str(tasks), str(folder / "worktrees")]
    cpu_seconds, begun = _children_cpu_seconds(), time.perf_counter()
    subprocess.run(script, env=environment, check=True)
    floor = Floor((time.perf_counter() - begun) / tasks, (_children_cpu_seconds() - cpu_seconds) / tasks)
    missing = {f"floor-{number}" for number in range(1, tasks + 1)} - repository.base_files()
    if missing:
        raise RuntimeError(f"the floor's script did not merge {sorted(missing)}")
    return floor


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
