"""`make chaos`: a kill at every named point and at a hundred random times, as a table of what each has cost.

All of it with the local forge; then what has to do with the forge once more on GitHub, and GitHub's own points.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from parallel_workers.crash_points import CRASH_POINTS, GITHUB_POINTS, REWORK_POINTS
from tests.chaos.github_kills import kill_again_and_again_on_github, kill_on_github
from tests.chaos.github_scenes import ALSO_ON_GITHUB
from tests.chaos.kills import DIRTY_POINTS, Survived, kill_again_and_again, kill_at_point, make_scene_for, most_runs
from tests.chaos.random_times import draw_delays
from tests.chaos.scenes import make_scene
from tests.chaos.tolls import what_is_wrong
from tests.e2e.github_side import telling_at_once
from tests.e2e.product import Product

_ROW = "{:<48} {:>5} {:>4} {:>6} {:>8} {:>6} {:>10} {:>5}  {}\n"
_HEADINGS = ("killed", "times", "PRs", "merges", "commits", "files", "processes", "agent", "")
_UNITS = ("", "", "", "", "lost", "lost", "left", "runs", "")
_KILLS_VARIABLE = "PARALLEL_WORKERS_RANDOM_KILLS"
_GITHUB_KILLS_VARIABLE = "PARALLEL_WORKERS_RANDOM_KILLS_ON_GITHUB"
_SEED_VARIABLE = "PARALLEL_WORKERS_CHAOS_SEED"
_KILLS_PER_SCENE = 5
_LONGEST_ON_GITHUB_SECONDS = 5.0


class _Count(NamedTuple):
    """Named points tried, random kills done, scenes that were not as they should be."""

    points: int = 0
    kills: int = 0
    failures: int = 0

    def plus(self, other: _Count) -> _Count:
        return _Count(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def main() -> int:
    """Kill and count; 1 when anything was lost, done twice or left, or a point was not reached."""
    seed = int(os.environ.get(_SEED_VARIABLE) or 0)
    sys.stdout.write(_ROW.format(*_HEADINGS) + _ROW.format(*_UNITS))
    with _product() as (product, folder):
        count = _kill_locally(product, folder, seed, int(os.environ.get(_KILLS_VARIABLE) or 100))
        with telling_at_once(product):
            on_github = int(os.environ.get(_GITHUB_KILLS_VARIABLE) or 20)
            count = count.plus(_kill_on_github(product, folder, seed, on_github))
    sys.stdout.write("{} named points, {} random kills, {} not as they should be\n".format(*count))
    return int(count.failures > 0)


def _kill_locally(product: Product, folder: Path, seed: int, wanted: int) -> _Count:
    points, kills, failures = (*CRASH_POINTS, *REWORK_POINTS), 0, 0
    for point in points:
        scene = make_scene_for(folder, point)
        survived = kill_at_point(product, scene, point)
        failures += _tell(f"at {point}", survived, what_is_wrong(survived.toll, scene, most_runs(point)), is_point=True)
    for point in DIRTY_POINTS:
        scene = make_scene_for(folder, point, left_dirty=True)
        survived = kill_at_point(product, scene, point)
        wrong = what_is_wrong(survived.toll, scene, most_runs(point))
        failures += _tell(f"at {point}, files left", survived, wrong, is_point=True)
    while kills < wanted:
        scene = make_scene(folder, f"random-{seed}", tasks=2, pause_seconds=0.2)
        survived = kill_again_and_again(product, scene, draw_delays(seed, _KILLS_PER_SCENE))
        wrong = what_is_wrong(survived.toll, scene, 1 + survived.kills)
        failures += _tell(f"at random times, seed {seed}", survived, wrong)
        kills, seed = kills + survived.kills, seed + 1
    return _Count(len(points) + len(DIRTY_POINTS), kills, failures)


def _kill_on_github(product: Product, folder: Path, seed: int, wanted: int) -> _Count:
    points, kills, failures = (*ALSO_ON_GITHUB, *GITHUB_POINTS), 0, 0
    for point in points:
        failures += _tell(f"on GitHub at {point}", *kill_on_github(product, folder, point), is_point=True)
    while kills < wanted:
        delays = draw_delays(seed, _KILLS_PER_SCENE, _LONGEST_ON_GITHUB_SECONDS)
        told = kill_again_and_again_on_github(product, folder, f"github-random-{seed}", delays)
        failures += _tell(f"on GitHub at random times, seed {seed}", *told)
        kills, seed = kills + told[0].kills, seed + 1
    return _Count(len(points), kills, failures)


@contextmanager
def _product() -> Iterator[tuple[Product, Path]]:
    """A product with an empty home, and a folder for scenes; gone afterwards, server and all."""
    with tempfile.TemporaryDirectory(prefix="parallel-workers-chaos-") as folder:
        product = Product(Path(folder).resolve())
        try:
            yield product, Path(folder).resolve() / "scenes"
        finally:
            product.call("down")


def _tell(name: str, survived: Survived, wrong: Sequence[str], *, is_point: bool = False) -> bool:
    """One line of the table, and below it what is wrong; whether anything is."""
    toll = survived.toll
    if is_point and not survived.kills:
        wrong = [*wrong, "this point was not reached"]
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
