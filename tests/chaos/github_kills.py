"""The same kills with the pull requests on GitHub: one of each there too, dressed as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from parallel_workers.crash_points import CRASH_POINTS
from tests.chaos.github_scenes import Course, course_to, github_stage, wrong_on_github
from tests.chaos.kills import Survived, kill_again_and_again, kill_at_point, most_runs
from tests.chaos.tolls import what_is_wrong
from tests.e2e.product import Product

_RANDOM = Course(tasks=2)


def kill_on_github(product: Product, folder: Path, point: str) -> tuple[Survived, list[str]]:
    """As `kill_at_point`, and what is wrong afterwards, in words."""
    course = course_to(point)
    runs = most_runs(point) if point in CRASH_POINTS else course.most_runs
    with github_stage(folder, f"github-{point.replace('.', '-')}", course) as stage:
        survived = kill_at_point(product, stage.scene, point)
        return survived, [*what_is_wrong(survived.toll, stage.scene, runs), *wrong_on_github(stage)]


def kill_again_and_again_on_github(
    product: Product, folder: Path, name: str, delays: Sequence[float]
) -> tuple[Survived, list[str]]:
    """As `kill_again_and_again` with two tasks, and what is wrong afterwards, in words."""
    with github_stage(folder, name, _RANDOM, pause_seconds=0.2) as stage:
        survived = kill_again_and_again(product, stage.scene, delays)
        wrong = what_is_wrong(survived.toll, stage.scene, 1 + survived.kills)
        return survived, [*wrong, *wrong_on_github(stage)]
