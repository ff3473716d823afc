"""The command line `parallel-workers`: its verbs and its way in. Imports nothing heavy: `--help` has to be quick."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from parallel_workers import __version__
from parallel_workers.cli.boundary import end_cleanly
from parallel_workers.cli.lazy_group import LazyGroup, Section, Verb
from parallel_workers.cli.log_lines import quiet_log
from parallel_workers.crash_points import check_crash_point

PROGRAM = "parallel-workers"

_HERE = "parallel_workers.cli"

SECTIONS = (
    Section(
        "Batches",
        (
            Verb("run", f"{_HERE}.run_command:run", "Carry out a batch file until every task is merged or given up."),
            Verb("validate", f"{_HERE}.spec_commands:validate", "Check a batch file and show its plan."),
            Verb("schema", f"{_HERE}.spec_commands:schema", "Print the JSON Schema of batch files."),
            Verb("spawn-batch", f"{_HERE}.spawn_commands:spawn_batch", "Hand a batch file over to the server."),
            Verb("spawn", f"{_HERE}.spawn_commands:spawn", "Hand a single task over to the server."),
        ),
    ),
    Section(
        "Workers",
        (
            Verb("list", f"{_HERE}.worker_commands:list_", "List workers and how they stand."),
            Verb("get", f"{_HERE}.worker_commands:get", "Show one worker."),
            Verb("logs", f"{_HERE}.worker_commands:logs", "Print what a worker and its agent said."),
            Verb("terminate", f"{_HERE}.worker_commands:terminate", "Stop a worker; its work is kept."),
            Verb("cleanup", f"{_HERE}.worker_commands:cleanup", "Remove worktrees that are done with."),
            Verb("state", f"{_HERE}.state_commands:state", "Read and change the state of workers."),
            Verb("loop", f"{_HERE}.loop_command:loop", "Watch open pull requests in the foreground."),
        ),
    ),
    Section(
        "Git",
        (
            Verb("worktree", f"{_HERE}.worktree_commands:worktree", "Make, list and remove worktrees."),
            Verb("rescue", f"{_HERE}.rescue_commands:rescue", "List and bring back what removals have saved."),
            Verb("pr", f"{_HERE}.pull_request_commands:pr", "Look at and merge pull requests of the local forge."),
        ),
    ),
    Section(
        "Server and shell",
        (
            Verb(
                "up",
                f"{_HERE}.server_commands:up",
                "Start server, Prefect worker and watcher.",
            ),
            Verb("down", f"{_HERE}.server_commands:down", "Stop what `up` has started on this machine."),
            Verb("doctor", f"{_HERE}.doctor_command:doctor", "Look for what is wrong, and say how to mend it."),
            Verb("completion", f"{_HERE}.completion_command:completion", "Print the completion script of a shell."),
        ),
    ),
)


@click.group(cls=LazyGroup, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """A batch file of coding tasks becomes merged pull requests.

    One worktree and one agent per task, many at once, in dependency order, on Prefect.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out the command line and leave the process with its exit code."""
    quiet_log()
    given = tuple(sys.argv[1:] if arguments is None else arguments)
    sys.exit(end_cleanly(lambda: _call(given), given))


def _call(given: tuple[str, ...]) -> object:
    check_crash_point()
    return cli.main(args=given, prog_name=PROGRAM, standalone_mode=False)


if __name__ == "__main__":
    main()
