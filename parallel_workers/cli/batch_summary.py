"""What is said at the end of a run."""

from __future__ import annotations

import shlex
from collections import Counter

from parallel_workers.cli.batch_progress import format_seconds
from parallel_workers.progress import BatchOutcome, TaskOutcome

HEADINGS = ("Task", "Result", "Time", "PR", "Reason")
_WORTH_A_SPEED_UP = 1.0


def rows(outcome: BatchOutcome) -> list[tuple[str, ...]]:
    """The cells of the final table, in spec order."""
    return [
        (task.task_id, _result(task), format_seconds(task.seconds or None), task.pr_url or "", task.reason)
        for task in outcome.tasks
    ]


def _result(task: TaskOutcome) -> str:
    result = task.result.replace("_", " ")
    return f"{result} before" if task.already_done else result


def totals(outcome: BatchOutcome) -> str:
    """One line: how many of each result, the wall time, and the speed-up over doing one task after the other."""
    if outcome.tasks and all(task.already_done for task in outcome.tasks):
        return f"{len(outcome.tasks)} tasks: all were done already"
    counts = Counter(_result(task) for task in outcome.tasks)
    line = f"{len(outcome.tasks)} tasks: " + ", ".join(f"{count} {result}" for result, count in counts.items())
    line += f" in {outcome.seconds:.1f} s"
    if outcome.succeeded and outcome.seconds > 0 and outcome.work_seconds / outcome.seconds > _WORTH_A_SPEED_UP:
        speed_up = outcome.work_seconds / outcome.seconds
        line += f"; {speed_up:.1f} times as fast as one after the other ({outcome.work_seconds:.1f} s)"
    return line


def how_to_look(repository: str, base_branch: str, ui_url: str) -> str:
    """Where the results are: the history, and the Prefect UI."""
    history = shlex.join(("git", "-C", repository, "log", "--graph", "--oneline", base_branch))
    return f"Look: {history}\n      {ui_url}/runs"
