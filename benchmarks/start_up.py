"""How long a person waits for the shortest answers."""

from __future__ import annotations

import subprocess
import time
from statistics import median

from benchmarks.batch_files import no_op_tasks, write_batch
from benchmarks.figures import Figure, Measurement, at_most
from benchmarks.options import Options
from benchmarks.product import Product, fresh_product
from benchmarks.repositories import make_repository

_MAX_HELP_SECONDS = 0.15


def measure(options: Options) -> Measurement:
    """Medians of whole commands: `--help`, and `list` with the server up and a few workers to list."""
    with fresh_product() as product:
        repository = make_repository(product.folder / "repository")
        product.run_batch(write_batch(product.folder / "batch.yml", repository, no_op_tasks(3), 3))
        help_seconds = [_time(product, "--help") for _ in range(options.start_ups)]
        list_seconds = [_time(product, "list") for _ in range(options.start_ups)]
    figures = (
        at_most("--help", median(help_seconds), "s", _MAX_HELP_SECONDS),
        Figure("list", median(list_seconds), "s"),
    )
    return Measurement(
        "start-up", f"median of {options.start_ups}", figures, {"--help": help_seconds, "list": list_seconds}
    )


def _time(product: Product, *arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run(
        product.argv(*arguments), env=product.environment, cwd=product.folder, stdout=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - begun
