"""What the engine costs per task when the agent costs nothing, beside the same git work by a bare shell script."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

from benchmarks.batch_files import no_op_tasks, write_batch
from benchmarks.figures import Figure, Measurement, at_most
from benchmarks.git_floor import Floor, time_floor
from benchmarks.options import Options
from benchmarks.process_memory import MB
from benchmarks.product import BatchRun, Product, fresh_product
from benchmarks.repositories import make_repository

_MAX_OVER_FLOOR = 3.0
_MAX_GROWTH = 1.2


class _Round(NamedTuple):
    tasks: int
    floor: Floor
    run: BatchRun

    @property
    def cost(self) -> float:
        """Seconds per task, from the first spawn to the last clean-up."""
        return self.run.batch_seconds / self.tasks

    @property
    def over_floor(self) -> float:
        return self.cost / self.floor.seconds


def measure(options: Options) -> Measurement:
    """Floor and product take turns, so that a machine that slows down slows both."""
    rounds: list[_Round] = []
    with fresh_product() as product:
        product.call("up", "--server-only")
        _run_round(product, "warm-up", 2, options.in_flight)
        for repeat in range(max(options.repeats(size) for size in options.sizes)):
            due = [size for size in options.sizes if repeat < options.repeats(size)]
            rounds += [_run_round(product, f"{size}-tasks-{repeat}", size, options.in_flight) for size in due]
    figures = [figure for size in options.sizes for figure in _figures_of(size, rounds, options.in_flight)]
    smallest, largest = min(options.sizes), max(options.sizes)
    growth = _median_cost(largest, rounds) / _median_cost(smallest, rounds)
    figures += [
        at_most(f"cost per task, {largest} over {smallest} tasks", growth, "×", _MAX_GROWTH),
        Figure("peak resident, engine", max(each.run.client_peak_bytes for each in rounds) / MB, "MB"),
        Figure("peak resident, server", max(each.run.server_peak_bytes for each in rounds) / MB, "MB"),
    ]
    about = f"no-op agents, at most {options.in_flight} in flight, local forge, merged by the product; medians"
    return Measurement("engine-cost", about, tuple(figures), rounds)


def _run_round(product: Product, name: str, tasks: int, in_flight: int) -> _Round:
    floor = time_floor(product.folder / f"floor-{name}", tasks)
    folder = product.folder / name
    spec = write_batch(folder / "batch.yml", make_repository(folder), no_op_tasks(tasks), in_flight)
    return _Round(tasks, floor, product.run_batch(spec))


def _figures_of(size: int, rounds: list[_Round], in_flight: int) -> tuple[Figure, ...]:
    chosen = [each for each in rounds if each.tasks == size]
    return (
        Figure(f"{size} tasks, floor per task", 1000 * median(each.floor.seconds for each in chosen), "ms"),
        Figure(f"{size} tasks, engine per task", 1000 * _median_cost(size, rounds), "ms"),
        Figure(f"{size} tasks, CPU of floor per task", 1000 * median(each.floor.cpu_seconds for each in chosen), "ms"),
        Figure(
            f"{size} tasks, CPU of engine, git and agents per task",
            1000 * median(each.run.client_cpu_seconds / size for each in chosen),
            "ms",
        ),
        Figure(
            f"{size} tasks, CPU of server per task",
            1000 * median(each.run.server_cpu_seconds / size for each in chosen),
            "ms",
        ),
        _over_floor(size, median(each.over_floor for each in chosen), in_flight),
    )


def _over_floor(size: int, ratio: float, in_flight: int) -> Figure:
    """The target is for as many in flight as may be: a small batch is mostly one task's latency."""
    name = f"{size} tasks, engine over floor"
    return at_most(name, ratio, "×", _MAX_OVER_FLOOR) if size >= in_flight else Figure(name, ratio, "×")


def _median_cost(size: int, rounds: list[_Round]) -> float:
    return median(each.cost for each in rounds if each.tasks == size)
