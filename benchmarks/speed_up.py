"""Several workers against one, with agents that only wait: what is lost is the product's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.batch_files import no_op_tasks, sleeping_tasks, write_batch
from benchmarks.figures import Figure, Measurement, at_least, at_most
from benchmarks.list_scheduling import makespan
from benchmarks.options import Options
from benchmarks.product import BatchRun, Product, fresh_product
from benchmarks.repositories import make_repository

_EQUAL = (20.0, 20.0, 20.0)
_MIXED = (60.0, 40.0, 30.0, 20.0, 10.0)
_WORKERS = 3
_MIN_SPEED_UP = 2.9
_MAX_OVER_BOUND = 1.05


class _Case(NamedTuple):
    name: str
    durations: tuple[float, ...]
    bound: float
    many: BatchRun
    one: BatchRun | None

    @property
    def speed_up(self) -> float:
        return self.one_seconds / self.many.batch_seconds

    @property
    def one_seconds(self) -> float:
        return self.one.batch_seconds if self.one else sum(self.durations)

    @property
    def command_speed_up(self) -> float:
        return (self.one.wall_seconds if self.one else sum(self.durations)) / self.many.wall_seconds


def measure(options: Options) -> Measurement:
    """The server is up already. Judged is the batch, from the first spawn to the last clean-up.

    The whole command stands beside it: the start of its process, most of it Prefect's import, is a constant that no
    number of workers changes.
    """
    with fresh_product() as product:
        _warm_up(product)
        equal = _run_case(product, "equal", [seconds * options.scale for seconds in _EQUAL], options)
        mixed = _run_case(product, "mixed", [seconds * options.scale for seconds in _MIXED], options)
    figures = (
        *_times(equal),
        at_least("speed-up of 3 equal tasks", equal.speed_up, "×", _MIN_SPEED_UP),
        Figure("speed-up of 3 equal tasks, whole command", equal.command_speed_up, "×"),
        *_times(mixed),
        Figure("speed-up of 5 mixed tasks", mixed.speed_up, "×"),
        Figure("speed-up of 5 mixed tasks that the bound allows", sum(mixed.durations) / mixed.bound, "×"),
        at_most("5 mixed tasks, time over bound", mixed.many.batch_seconds / mixed.bound, "×", _MAX_OVER_BOUND),
        Figure("5 mixed tasks, time over bound, whole command", mixed.many.wall_seconds / mixed.bound, "×"),
    )
    about = f"{_WORKERS} workers against 1, agents that sleep" + (
        "; the time of 1 worker is the sum of the tasks" if options.quick else ""
    )
    return Measurement("speed-up", about, figures, [equal, mixed])


def _warm_up(product: Product) -> None:
    product.call("up", "--server-only")
    repository = make_repository(product.folder / "warm-up")
    product.run_batch(write_batch(product.folder / "warm-up.yml", repository, no_op_tasks(1), 1))


def _run_case(product: Product, name: str, durations: Sequence[float], options: Options) -> _Case:
    return _Case(
        name,
        tuple(durations),
        makespan(durations, _WORKERS),
        _run(product, product.folder / f"{name}-{_WORKERS}", durations, _WORKERS),
        None if options.quick else _run(product, product.folder / f"{name}-1", durations, 1),
    )


def _run(product: Product, folder: Path, durations: Sequence[float], workers: int) -> BatchRun:
    repository = make_repository(folder)
    return product.run_batch(write_batch(folder / "batch.yml", repository, sleeping_tasks(durations), workers))


def _times(case: _Case) -> tuple[Figure, ...]:
    return (
        Figure(f"{case.name}, 1 worker", case.one_seconds, "s"),
        Figure(f"{case.name}, {_WORKERS} workers, whole command", case.many.wall_seconds, "s"),
        Figure(f"{case.name}, {_WORKERS} workers, the batch alone", case.many.batch_seconds, "s"),
        Figure(f"{case.name}, list-scheduling bound", case.bound, "s"),
    )
