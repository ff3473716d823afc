"""`make chaos`: a kill at every named point and at a hundred random times, as a table of what each has cost."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parallel_workers.crash_points import CRASH_POINTS, REWORK_POINTS
from tests.chaos.kills import Survived, kill_again_and_again, kill_at_point, make_scene_for, most_runs
from tests.chaos.random_times import draw_delays
from tests.chaos.scenes import Scene, make_scene
from tests.chaos.tolls import what_is_wrong
from tests.e2e.product import Product

_ROW = "{:<34} {:>5} {:>4} {:>6} {:>8} {:>6} {:>10} {:>5}  {}\n"
_HEADINGS = ("killed", "times", "PRs", "merges", "commits", "files", "processes", "agent", "")
_UNITS = ("", "", "", "", "lost", "lost", "left", "runs", "")
_KILLS_VARIABLE = "PARALLEL_WORKERS_RANDOM_KILLS"
_SEED_VARIABLE = "PARALLEL_WORKERS_CHAOS_SEED"
_KILLS_PER_SCENE = 5


def main() -> int:
    """Kill and count; 1 when anything was lost, done twice or left, or a point was not reached."""
    seed = int(os.environ.get(_SEED_VARIABLE) or 0)
    wanted, kills, failures = int(os.environ.get(_KILLS_VARIABLE) or 100), 0, 0
    points = (*CRASH_POINTS, *REWORK_POINTS)
    sys.stdout.write(_ROW.format(*_HEADINGS) + _ROW.format(*_UNITS))
    with _product() as (product, folder):
        for point in points:
            scene = make_scene_for(folder, point)
            survived = kill_at_point(product, scene, point)
            failures += _tell(f"at {point}", scene, survived, most_runs(point), expected_kills=1)
        while kills < wanted:
            scene = make_scene(folder, f"random-{seed}", tasks=2, pause_seconds=0.2)
            survived = kill_again_and_again(product, scene, draw_delays(seed, _KILLS_PER_SCENE))
            failures += _tell(f"at random times, seed {seed}", scene, survived, 1 + survived.kills)
            kills, seed = kills + survived.kills, seed + 1
    sys.stdout.write(f"{len(points)} named points, {kills} random kills, {failures} not as they should be\n")
    return int(failures > 0)


@contextmanager
def _product() -> Iterator[tuple[Product, Path]]:
    """A product with an empty home, and a folder for scenes; gone afterwards, server and all."""
    with tempfile.TemporaryDirectory(prefix="parallel-workers-chaos-") as folder:
        product = Product(Path(folder).resolve())
        try:
            yield product, Path(folder).resolve() / "scenes"
        finally:
            product.call("down")


def _tell(name: str, scene: Scene, survived: Survived, runs: int, *, expected_kills: int = 0) -> bool:
    """One line of the table, and below it what is wrong; whether anything is."""
    toll, wrong = survived.toll, what_is_wrong(survived.toll, scene, runs)
    if survived.kills < expected_kills:
        wrong.append("this point was not reached")
    sys.stdout.write(
        _ROW.format(
            name,
            survived.kills,
            toll.pull_requests,
            toll.merges,
            toll.commits_lost,
            toll.files_lost,
            toll.processes_left,
            toll.agent_runs,
            f"WRONG: {'; '.join(wrong)}" if wrong else "",
        )
    )
    if wrong:
        sys.stdout.write(f"{survived.before.stderr}\n{survived.after.stdout}\n{survived.after.stderr}\n")
    sys.stdout.flush()
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
