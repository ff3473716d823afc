"""Batches of shell agents for tests: what an agent does is one line of shell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parallel_workers.spec import AgentProfile, BatchSpec, TaskSpec

WRITE_FILE = 'echo "$PARALLEL_WORKERS_DESCRIPTION" > "$PARALLEL_WORKERS_TASK_ID.txt"'


def shell_batch(repository: Path, tasks: Mapping[str, Mapping[str, Any]], **options: Any) -> BatchSpec:
    """A batch on `repository`; per task id the TaskSpec fields, plus `shell`: what its agent does."""
    agents: dict[str, AgentProfile] = {}
    specs = []
    for task_id, fields in tasks.items():
        given = dict(fields)
        agents[f"agent-{task_id}"] = AgentProfile(command=("sh", "-c", given.pop("shell", WRITE_FILE)))
        specs.append(TaskSpec(id=task_id, agent=f"agent-{task_id}", **{"description": f"do {task_id}", **given}))
    settings = {"name": "tasks", "project": "sample", "merge": "auto", **options}
    return BatchSpec(repository=str(repository), agents=agents, tasks=tuple(specs), **settings)
