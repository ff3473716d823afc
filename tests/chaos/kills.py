"""Kills a real engine at a named point or time, runs its batch again, and counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from typing import NamedTuple

from deployments.server_address import address_file, read_record
from parallel_workers.crash_points import CRASH_POINTS, CRASH_VARIABLE
from tests.chaos.scenes import Scene
from tests.chaos.tolls import Toll, count_toll, find_processes
from tests.e2e.product import Ended, Product, finish

_RUN = ("run", "--json", "--poll-interval", "0.2")
_LEFT_SECONDS = 15.0


class Survived(NamedTuple):
    """A kill and the run after it. `was_killed` is False when the engine had come to its end before."""

    toll: Toll
    was_killed: bool
    before: Ended
    after: Ended


def most_runs(point: str) -> int:
    """How often an agent may run in all: once when its result was kept, or it had not begun; else once more."""
    between = range(CRASH_POINTS.index("agent.started"), CRASH_POINTS.index("work.result-kept"))
    return 2 if CRASH_POINTS.index(point) in between else 1


def kill_at_point(product: Product, scene: Scene, point: str) -> Survived:
    """The engine kills itself at the point."""
    return _survive(product, scene, product.begin(*_RUN, str(scene.spec), **{CRASH_VARIABLE: point}), lambda: None)


def kill_after(product: Product, scene: Scene, seconds: float) -> Survived:
    """The engine is killed so long after its start, wherever it is then."""
    engine = product.begin(*_RUN, str(scene.spec))

    def wait_and_kill() -> None:
        try:
            engine.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(engine.pid, signal.SIGKILL)

    return _survive(product, scene, engine, wait_and_kill)


def _survive(product: Product, scene: Scene, engine: subprocess.Popen[str], kill: Callable[[], None]) -> Survived:
    kill()
    before = finish(engine)
    after = product.call(*_RUN, str(scene.spec))
    deadline = time.monotonic() + _LEFT_SECONDS
    while find_processes(scene) and time.monotonic() < deadline:
        time.sleep(0.05)
    toll = count_toll(scene, after, read_workers(product, scene))
    return Survived(toll, before.exit_code == -signal.SIGKILL, before, after)


def read_runs(product: Product, *tags: str) -> list[dict[str, object]]:
    """Every flow run with these tags, as Prefect's own API tells it."""
    record = read_record(address_file(product.home / "data" / "server"))
    assert record is not None
    body = json.dumps({"flow_runs": {"tags": {"all_": list(tags)}}, "limit": 200}).encode()
    url = f"{record.url}/api/flow_runs/filter"
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server on loopback
        found: list[dict[str, object]] = json.load(answer)
    return found


def read_workers(product: Product, scene: Scene) -> tuple[str, ...]:
    """The state names of all worker runs of the scene's batch."""
    runs = read_runs(product, f"batch:{scene.name}/{scene.name}")
    return tuple(sorted(str(run["state_name"]) for run in runs))
