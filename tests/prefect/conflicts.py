"""Agents and batches for tests of reworks: an agent that settles conflicts, and counts how often it ran."""

from __future__ import annotations

from pathlib import Path

SETTLES = r"""
echo "$PARALLEL_WORKERS_TASK_ID" >> '{runs}'
while [ "$(wc -l < '{runs}')" -lt {together} ]; do sleep 0.05; done
if git diff --name-only --diff-filter=U | grep -q .; then
  grep -vE '^(<<<<<<<|=======|>>>>>>>)' shared.txt > kept.tmp; mv kept.tmp shared.txt
else
  echo "$PARALLEL_WORKERS_TASK_ID" >> shared.txt
fi
"""
"""Adds a line to `shared.txt`; in a conflict it keeps the lines of both sides."""


def settling_agent(runs: Path, together: int = 1) -> str:
    """The shell of such an agent; `runs` gets a line for each time that it ran. The first `together` end together."""
    return SETTLES.format(runs=runs, together=together)


def runs_of(runs: Path, task_id: str) -> int:
    """How often the task's agent ran."""
    return runs.read_text().splitlines().count(task_id) if runs.exists() else 0
