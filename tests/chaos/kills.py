"""Kills a real engine at a named point or at times, runs its batch again, and counts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from deployments.server_address import address_file, read_record
from parallel_workers.crash_points import CRASH_POINTS, CRASH_VARIABLE, RESCUE_POINTS, REWORK_POINTS
from tests.chaos.scenes import Scene, make_scene
from tests.chaos.tolls import RunState, Toll, count_files_lost, count_toll, find_processes
from tests.e2e.product import Ended, Product, finish

_RUN = ("run", "--json", "--poll-interval", "0.2")
_LEFT_SECONDS = 15.0
DIRTY_POINTS = (*RESCUE_POINTS, *(point for point in CRASH_POINTS if point.startswith("removal.")))
"""Those on the way of a worktree that is removed with files in it that nobody has committed."""


class Survived(NamedTuple):
    """Kills and the run after them. `kills` are those that came before the engine's own end."""

    toll: Toll
    kills: int
    before: Ended
    after: Ended


def most_runs(point: str) -> int:
    """How often an agent may run in all: once when its result was kept, or it had not begun; else once more.

    A rework is a run of its own.
    """
    if point in REWORK_POINTS:
        return 3 if point in REWORK_POINTS[:2] else 2
    if point in RESCUE_POINTS:
        return 1
    between = range(CRASH_POINTS.index("agent.started"), CRASH_POINTS.index("work.result-kept"))
    return 2 if CRASH_POINTS.index(point) in between else 1


def make_scene_for(folder: Path, point: str, *, left_dirty: bool = False) -> Scene:
    """A scene in which the engine comes to this point, of which some are on the way of a dirty worktree only."""
    name = point.replace(".", "-")
    if left_dirty:
        return make_scene(folder, f"{name}-dirty", left_dirty=True)
    if point in REWORK_POINTS:
        return make_scene(folder, name, tasks=2, contend=True, pause_seconds=0.3)
    return make_scene(folder, name, setup=point.startswith("set-up."))


def kill_at_point(product: Product, scene: Scene, point: str) -> Survived:
    """The engine kills itself at the point; then the same command is run again, to its end."""
    before = finish(product.begin(*_RUN, str(scene.spec), **scene.environment, **{CRASH_VARIABLE: point}))
    return _finish(product, scene, before, int(before.exit_code == -signal.SIGKILL))


def kill_again_and_again(product: Product, scene: Scene, delays: Iterable[float]) -> Survived:
    """Run and kill after each delay, counted from when the engine begins with the batch; then run to the end."""
    kills, before = 0, None
    for delay in delays:
        engine = product.begin(*_RUN, str(scene.spec), **scene.environment)
        _wait_for_begin(engine)
        try:
            engine.wait(delay)
        except subprocess.TimeoutExpired:
            os.kill(engine.pid, signal.SIGKILL)
        before = finish(engine)
        kills += before.exit_code == -signal.SIGKILL
    assert before is not None
    return _finish(product, scene, before, kills)


def _wait_for_begin(engine: subprocess.Popen[str]) -> None:
    """The first line an engine says comes after its imports, when it looks at repository and forge."""
    assert engine.stderr is not None
    engine.stderr.readline()


def _finish(product: Product, scene: Scene, before: Ended, kills: int) -> Survived:
    after = product.call(*_RUN, str(scene.spec), **scene.environment)
    deadline = time.monotonic() + _LEFT_SECONDS
    while find_processes(scene) and time.monotonic() < deadline:
        time.sleep(0.05)
    toll = count_toll(scene, after, read_states(product, scene))
    if scene.left_dirty:
        toll = toll._replace(files_lost=count_files_lost(scene, _restore_all(product, scene)))
    return Survived(toll, kills, before, after)


def _restore_all(product: Product, scene: Scene) -> list[Path]:
    """A worktree for each rescue, as the user gets it back."""
    listed = product.call("rescue", "list", "--json", "--repository", str(scene.repository)).data
    places = [scene.journal.with_name(f"{scene.name}-back-{number}") for number in range(len(listed))]
    for one, place in zip(listed, places, strict=True):
        back = ("--worktree", str(place), "--repository", str(scene.repository))
        restored = product.call("rescue", "restore", one["rescue"], *back)
        assert restored.exit_code == 0, restored.stderr
    return places


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


def read_states(product: Product, scene: Scene) -> list[RunState]:
    """How every flow run of the scene stands: the batch's, one for each engine, and the workers'."""
    runs = read_runs(product, f"project:{scene.name}")
    return [
        RunState(str(run["state_name"]), str(run["state_type"]), f"batch:{scene.name}/{scene.name}" in str(run["tags"]))
        for run in runs
    ]
