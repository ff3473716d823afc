"""How commands speak: data on stdout, as text or JSON; talk on stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import click

from parallel_workers.cli.terminal_text import one_line

_LINKS = ("https://", "http://", "file:///")

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """The option every verb has: `--json`, passed on as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(command)


def say(text: str) -> None:
    """Talk to the person: a line on stderr."""
    click.echo(text, err=True)


def print_json(value: object) -> None:
    """Data for a program: indented JSON on stdout, ASCII only so that every locale can carry it."""
    click.echo(json.dumps(to_plain(value), indent=2))


def print_json_line(value: object) -> None:
    """Data for a program that reads as it comes: one JSON value on one line, written through at once."""
    click.echo(json.dumps(to_plain(value)))


def to_plain(value: Any) -> Any:
    """Values as JSON has them: named tuples and pydantic models become objects, other sequences arrays."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    mapping = value._asdict() if hasattr(value, "_asdict") else value
    if isinstance(mapping, Mapping):
        return {str(key): to_plain(one) for key, one in mapping.items()}
    return [to_plain(one) for one in value]


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """A table on stdout: fitted to the terminal, or, for a file or pipe, whole and aligned with spaces.

    Without rows, `empty` is said on stderr and stdout stays empty.
    """
    cells = [tuple(one_line(cell) for cell in row) for row in rows]
    if not cells:
        say(empty)
        return
    if is_terminal():
        _print_fitted(headings, cells)
    else:
        click.echo(format_plain(headings, cells))


def is_terminal() -> bool:
    """Whether stdout is a terminal that can do more than print."""
    import os
    import sys

    return sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}


def format_plain(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Headings and rows in columns, two spaces between, nothing cut; an empty cell is `-` so that columns count."""
    lines = [tuple(heading.upper() for heading in headings), *(tuple(cell or "-" for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def print_fields(fields: Mapping[str, object]) -> None:
    """One thing on stdout, a `name: value` per line; what is empty is left out."""
    shown = {name: one_line(str(value)) for name, value in fields.items() if value not in {None, ""}}
    width = max((len(name) for name in shown), default=0) + 1
    for name, value in shown.items():
        click.echo(f"{name + ':':<{width}}  {value}")


def _print_fitted(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell, style=f"link {cell}" if cell.startswith(_LINKS) else "") for cell in row))
    Console().print(table)
