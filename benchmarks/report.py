"""Shows measurements as a table and keeps them as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, Measurement

_VERDICTS = {None: "", True: "[green]yes[/]", False: "[red]NO[/]"}


def print_table(measurement: Measurement, console: Console) -> None:
    """One measurement's figures, with target and whether it holds."""
    table = Table(title=f"{measurement.name}: {measurement.about}", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    table.add_column("holds")
    for figure in measurement.figures:
        table.add_row(figure.name, _value(figure), figure.target, _VERDICTS[figure.holds])
    console.print(table)


def _value(figure: Figure) -> str:
    digits = 0 if figure.value >= 100 else 1 if figure.value >= 10 else 2
    return f"{figure.value:.{digits}f} {figure.unit}"


def write_json(measurements: Sequence[Measurement], file: Path) -> None:
    """Everything, every single run included, with what machine it was."""
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "measurements": [
            {
                "name": measurement.name,
                "about": measurement.about,
                "figures": [figure._asdict() for figure in measurement.figures],
                "details": _to_plain(measurement.details),
            }
            for measurement in measurements
        ],
    }
    file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _to_plain(value: Any) -> Any:
    """Named tuples as objects."""
    if hasattr(value, "_asdict"):
        return {name: _to_plain(one) for name, one in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [_to_plain(one) for one in value]
    return value
