"""What one more worker in flight costs in memory: batches of different sizes, measured while every agent waits."""

from __future__ import annotations

import os
import time
from statistics import median
from typing import NamedTuple

from benchmarks.batch_files import NO_OP, AgentTask, write_batch
from benchmarks.figures import Figure, Measurement, at_most
from benchmarks.options import Options
from benchmarks.process_memory import MB, Memory, find_tree, read_memory, read_sum
from benchmarks.product import Product, fresh_product
from benchmarks.repositories import make_repository

_FEW, _MANY = 10, 50
_MAX_MB_PER_WORKER = 3.0
_ARRIVAL_SECONDS = 120.0
_LOOKS = 5
_LOOK_SECONDS = 0.4


class _Standing(NamedTuple):
    """Bytes while `workers` are in flight: engine alone, server alone, and all processes with the agents' own."""

    workers: int
    engine: Memory
    server: Memory
    tree: Memory


def measure(_options: Options) -> Measurement:
    """Agents announce themselves and wait on a FIFO until memory was read, so nothing is left to timing."""
    standings = []
    for workers in (_FEW, _MANY):
        with fresh_product() as product:
            product.call("up", "--server-only")
            standings.append(_stand(product, workers))
    few, many = standings
    figures = (
        *(
            Figure(f"{each.workers} in flight, {name} ({kind})", value / MB, "MB")
            for each in standings
            for name, memory in (("engine", each.engine), ("server", each.server), ("whole tree", each.tree))
            for kind, value in (("RSS", memory.rss), ("PSS", memory.pss))
        ),
        at_most(
            "engine, per extra worker (RSS)", _per_worker(few.engine.rss, many.engine.rss), "MB", _MAX_MB_PER_WORKER
        ),
        Figure("server, per extra worker (RSS)", _per_worker(few.server.rss, many.server.rss), "MB"),
        at_most(
            "whole tree with agents, per extra worker (PSS)",
            _per_worker(few.tree.pss, many.tree.pss),
            "MB",
            _MAX_MB_PER_WORKER,
        ),
    )
    return Measurement("memory", f"{_FEW} and {_MANY} workers in flight, agents that wait", figures, standings)


def _per_worker(few_bytes: int, many_bytes: int) -> float:
    return (many_bytes - few_bytes) / (_MANY - _FEW) / MB


def _stand(product: Product, workers: int) -> _Standing:
    arrivals, gate = product.folder / "arrivals", product.folder / "gate"
    arrivals.mkdir()
    os.mkfifo(gate)
    command = f'touch "{arrivals}/$PARALLEL_WORKERS_TASK_ID"; cat "{gate}"; {NO_OP}'
    tasks = [AgentTask(f"TASK-{number:03}", command) for number in range(workers)]
    spec = write_batch(product.folder / "batch.yml", make_repository(product.folder / "repository"), tasks, workers)
    process = product.begin("run", str(spec), "--json")
    deadline = time.monotonic() + _ARRIVAL_SECONDS
    while len(list(arrivals.iterdir())) < workers:
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            said, _ = process.communicate()
            product.check_merged(process.returncode, said)
        time.sleep(0.1)
    standing = _look(workers, process.pid, product.server_pid() or 0)
    # Opening and closing it for writing lets every reader go on.
    gate.open("w", encoding="utf-8").close()
    said, _ = process.communicate()
    product.check_merged(process.returncode, said)
    return standing


def _look(workers: int, engine: int, server: int) -> _Standing:
    seen: list[tuple[Memory, Memory, Memory]] = []
    for _ in range(_LOOKS):
        time.sleep(_LOOK_SECONDS)
        seen.append((read_memory(engine), read_memory(server), read_sum(find_tree([engine, server]))))
    return _Standing(workers, *(_median([look[which] for look in seen]) for which in range(len(seen[0]))))


def _median(looks: list[Memory]) -> Memory:
    return Memory(int(median(look.rss for look in looks)), int(median(look.pss for look in looks)))
