"""The one place where errors become a message and an exit code."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

import click

from parallel_workers import __version__
from parallel_workers.errors import ParallelWorkersError
from parallel_workers.locations import data_folder


class ExitCode(IntEnum):
    """What the process ends with; see `docs/` for what scripts may rely on."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNEXPECTED = 3
    INTERRUPTED = 130
    PIPE_CLOSED = 141  # what a shell reports for a program ended by SIGPIPE


def end_cleanly(command: Callable[[], object], arguments: Sequence[str]) -> int:
    """Run `command` and answer the exit code of the process; an int it returns is its exit code.

    An expected error is said in its own words. Anything else is written, with its traceback, to a file in
    the data folder's reports.
    """
    # A task id or path may hold what the terminal's encoding has not; that must not end a run.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        code = _run(command, arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has gone. What is still in the buffer must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PIPE_CLOSED
    return code


def _run(command: Callable[[], object], arguments: Sequence[str]) -> int:
    try:
        answer = command()
    except BrokenPipeError:
        raise
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the boundary: nothing is above it but the interpreter
        return _say_error(error, arguments)
    return answer if isinstance(answer, int) else ExitCode.OK


def _say_error(error: Exception, arguments: Sequence[str]) -> int:
    expected = find_expected(error)
    if expected is not None:
        click.echo(f"Error: {expected}", err=True)
        return expected.exit_code
    said = traceback.format_exception_only(error)[-1].strip()
    click.echo(f"Unexpected error: {said}", err=True)
    try:
        report = write_report(error, arguments)
    except OSError as failure:
        click.echo(f"{format_report(error, arguments)}\nThe report could not be written: {failure}", err=True)
    else:
        click.echo(f"The report is in {report}", err=True)
    return ExitCode.UNEXPECTED


def find_expected(error: BaseException) -> ParallelWorkersError | None:
    """The expected error that `error` is, or that is all a group of errors holds; else None."""
    if isinstance(error, ParallelWorkersError):
        return error
    if isinstance(error, BaseExceptionGroup):
        found = [find_expected(one) for one in error.exceptions]
        return found[0] if all(found) else None
    return None


def write_report(error: BaseException, arguments: Sequence[str]) -> Path:
    """Write the report of an unexpected error, readable by its owner only; its path."""
    folder = data_folder().reports
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.md"
    report.touch(mode=0o600)
    report.write_text(format_report(error, arguments), encoding="utf-8", errors="backslashreplace")
    return report


def format_report(error: BaseException, arguments: Sequence[str]) -> str:
    """Command, versions and traceback as Markdown. The environment stays out: it may hold secrets."""
    trace = "".join(traceback.format_exception(error)).rstrip()
    return (
        "# parallel-workers: unexpected error\n\n"
        f"- command: `parallel-workers {' '.join(arguments)}`\n"
        f"- version: {__version__}\n"
        f"- Prefect: {_prefect_version()}\n"
        f"- Python: {platform.python_version()} on {platform.platform()}\n"
        f"- time: {datetime.now(UTC).isoformat(timespec='seconds')}\n\n"
        f"```\n{trace}\n```\n"
    )


def _prefect_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("prefect")
    except PackageNotFoundError:
        return "not installed"
