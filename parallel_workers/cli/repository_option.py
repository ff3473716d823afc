"""The option that names the repository a verb works on."""

from __future__ import annotations

from pathlib import Path

import click

from parallel_workers.cli.output import Command


def repository_option(command: Command) -> Command:
    """`--repository PATH`, passed on as `repository`; the one around the current directory when not given."""
    return click.option(
        "--repository",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=".",
        help="A folder in the repository. Default: the current one.",
    )(command)
