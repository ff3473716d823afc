"""Runs the chosen measurements: `python -m benchmarks [NAME …] [OPTIONS]`."""

from __future__ import annotations

import compileall
import sys
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from benchmarks import (
    cold_batch,
    deployed_wait,
    engine_cost,
    github_budget,
    memory_per_worker,
    recovery,
    speed_up,
    start_up,
)
from benchmarks.figures import Measurement
from benchmarks.options import Options
from benchmarks.report import print_table, write_json

_MEASUREMENTS: dict[str, Callable[[Options], Measurement]] = {
    "start-up": start_up.measure,
    "cold-batch": cold_batch.measure,
    "memory": memory_per_worker.measure,
    "engine-cost": engine_cost.measure,
    "speed-up": speed_up.measure,
    "deployed": deployed_wait.measure,
    "github-budget": github_budget.measure,
    "recovery": recovery.measure,
}
_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("parallel_workers", "flows", "blocks", "deployments")


def _parse_sizes(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in value.split(","))
    except ValueError as error:
        raise click.BadParameter("numbers with commas between, such as 10,50") from error
    if min(sizes) < 1:
        raise click.BadParameter("a batch has at least one task")
    return sizes


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, type=click.Choice(list(_MEASUREMENTS)))
@click.option("--quick", is_flag=True, help="Repeat less, and compute what one worker would take.")
@click.option("--scale", default=1.0, show_default=True, help="Shorten (or lengthen) the sleeping agents.")
@click.option("--sizes", default="10,50,200", show_default=True, callback=_parse_sizes, help="Batches of no-op tasks.")
@click.option("--in-flight", default=50, show_default=True, help="No-op tasks in flight at once.")
@click.option(
    "--output", default=_ROOT / "bench-results.json", type=click.Path(path_type=Path), help="Where the JSON goes."
)
def main(
    names: tuple[str, ...], *, quick: bool, scale: float, sizes: tuple[int, ...], in_flight: int, output: Path
) -> None:
    """Measure what the product costs; all measurements, or those named.

    Exits 1 when a target does not hold.
    """
    # A normal install has its bytecode; a checkout run with PYTHONDONTWRITEBYTECODE has not.
    for package in _PACKAGES:
        compileall.compile_dir(_ROOT / package, quiet=1)
    console = Console(width=110 if not sys.stdout.isatty() else None)
    options = Options(quick, scale, sizes, in_flight)
    measurements: list[Measurement] = []
    for name in names or _MEASUREMENTS:
        measurements.append(_MEASUREMENTS[name](options))
        print_table(measurements[-1], console)
        write_json(measurements, output)
    missed = [figure.name for each in measurements for figure in each.figures if figure.holds is False]
    console.print(f"Targets that do not hold: {', '.join(missed)}" if missed else "Every target holds.")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
