"""Writes the batch files that the measurements run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.repositories import Repository

NO_OP = 'echo x > "$PARALLEL_WORKERS_TASK_ID.txt"'
"""An agent that does the least that counts as work: one new file."""


class AgentTask(NamedTuple):
    """A task and the shell command that its agent runs."""

    id: str
    command: str


def no_op_tasks(count: int) -> list[AgentTask]:
    """`count` tasks that add a file each."""
    return [AgentTask(f"TASK-{number:03}", NO_OP) for number in range(1, count + 1)]


def sleeping_tasks(durations: Sequence[float]) -> list[AgentTask]:
    """A task for each duration (seconds): its agent sleeps that long and adds a file."""
    return [AgentTask(f"TASK-{number:03}", f"sleep {seconds}; {NO_OP}") for number, seconds in enumerate(durations, 1)]


def write_batch(file: Path, repository: Repository, tasks: Sequence[AgentTask], max_workers: int) -> Path:
    """A batch file for the local forge that merges by itself. JSON is YAML."""
    profiles = {task.command: f"agent-{number}" for number, task in enumerate(tasks)}
    batch: Mapping[str, object] = {
        "project": "benchmark",
        "repository": str(repository.clone),
        "base_branch": "main",
        "forge": "local",
        "merge": "auto",
        "max_workers": max_workers,
        "agents": {
            name: {"adapter": "command", "command": ["sh", "-c", command]} for command, name in profiles.items()
        },
        "tasks": [
            {"id": task.id, "description": f"Add the file of {task.id}", "agent": profiles[task.command]}
            for task in tasks
        ],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(batch, indent=1), encoding="utf-8")
    return file
