"""Living processes of agents by worker, found by the tag in their environment, for when their engine may be dead."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import psutil

from parallel_workers.adapters.agents.process_tree import (
    TAG_VARIABLE,
    Process,
    ProcessTable,
    descendants,
    end_processes,
    read_processes,
)

PROMPT_VARIABLE = "PARALLEL_WORKERS_PROMPT_FILE"
"""In an agent's environment it lies in the data folder of the engine that started it: so we know whose agent it is."""


def find_agents(runs_folder: Path) -> dict[str, tuple[Process, ...]]:
    """Living processes by the worker whose tag they carry, with everything below them.

    Only those that an engine with this data folder has started (`runs_folder` is where it keeps prompts). Never this
    process nor what it was started by: `doctor` may be called by an agent.
    """
    table = read_processes()
    marked: defaultdict[str, set[int]] = defaultdict(set)
    for pid, process in table.items():
        if process.alive:
            given = _environment(pid)
            worker = given.get(TAG_VARIABLE, "")
            if worker and Path(given.get(PROMPT_VARIABLE, "")).parent == runs_folder / worker:
                marked[worker].add(pid)
    ourselves = _lineage(table)
    found = {}
    for worker, pids in sorted(marked.items()):
        below = {process.pid for process in descendants(table, pids)}
        living = tuple(table[pid] for pid in sorted((pids | below) - ourselves) if table[pid].alive)
        if living:
            found[worker] = living
    return found


def end_agents(worker: str, runs_folder: Path, grace_seconds: float) -> int:
    """End a worker's processes: TERM, grace, KILL, each known by its start time too; how many were signalled."""
    return end_processes(lambda: find_agents(runs_folder).get(worker, ()), grace_seconds)


def _environment(pid: int) -> Mapping[str, str]:
    try:
        return psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return {}


def _lineage(table: ProcessTable) -> set[int]:
    pid, found = os.getpid(), set()
    while pid in table and pid not in found:
        found.add(pid)
        pid = table[pid].parent
    return found
