"""The options of every verb that runs a batch in the foreground."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click

from parallel_workers.cli.output import json_option


class RunRequest(NamedTuple):
    """What the command line says about a run beside the batch itself. Seconds."""

    max_workers: int | None
    worktree_root: str | None
    policy: str | None
    poll_interval: float
    verbose: bool
    as_json: bool

    @property
    def absolute_worktree_root(self) -> str | None:
        """The worktree root for a process with another current directory."""
        return None if self.worktree_root is None else str(Path(self.worktree_root).expanduser().absolute())

    def to_repeat(self) -> tuple[str, ...]:
        """The options that another run needs to find what this one made, and to be as wide, as arguments."""
        given = {
            "--max-workers": self.max_workers,
            "--worktree-root": self.absolute_worktree_root,
            "--policy": self.policy,
        }
        return tuple(part for option, value in given.items() if value is not None for part in (option, str(value)))


_OPTIONS = (
    click.option("--max-workers", type=click.IntRange(1, 1000), help="Tasks at work at once; over the batch's."),
    click.option(
        "--worktree-root",
        envvar="PARALLEL_WORKERS_WORKTREE_ROOT",
        type=click.Path(file_okay=False),
        help="Folder that holds all worktrees; over the WorktreePolicy block's.",
    ),
    click.option("--policy", metavar="NAME", help="Name of a saved WorktreePolicy block."),
    click.option(
        "--poll-interval",
        type=click.FloatRange(min=0, min_open=True),
        default=5.0,
        show_default=True,
        help="Seconds between two looks at the pull requests.",
    ),
    click.option("--verbose", is_flag=True, help="Lines instead of the table, with what agents and Prefect say."),
    json_option,
)


def run_options(command: Callable[..., int]) -> Callable[..., int]:
    """Adds the options; `command` gets them all as one `request`."""

    @functools.wraps(command)
    def with_request(**given: Any) -> int:
        request = RunRequest(**{name: given.pop(name) for name in RunRequest._fields})
        return command(request=request, **given)

    wrapped: Callable[..., int] = with_request
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
