"""kill -9 of the engine at every second named point, then the same command again: nothing lost, nothing done twice.

`make chaos` has all of them; here they would take a quarter of the time that the whole suite may take.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_workers.crash_points import CRASH_POINTS, REWORK_POINTS
from tests.chaos.kills import kill_at_point, make_scene_for, most_runs
from tests.chaos.tolls import what_is_wrong
from tests.e2e.product import Product

_POINTS = (*CRASH_POINTS, *REWORK_POINTS)[::2]

# one before the rescue is there, one with the folder half gone
_DIRTY_POINTS = ("rescue.commit-made", "removal.half-deleted")


@pytest.mark.parametrize("point", _DIRTY_POINTS)
def test_killed_while_a_worktree_with_unsaved_files_goes(product: Product, tmp_path: Path, point: str) -> None:
    scene = make_scene_for(tmp_path, point, left_dirty=True)
    survived = kill_at_point(product, scene, point)
    assert survived.kills == 1, f"{point} was not reached:\n{survived.before.stderr}"
    assert len(scene.noted("file")) == 7, "the agent's two, and five that were left"
    wrong = what_is_wrong(survived.toll, scene, most_runs(point))
    assert not wrong, f"{wrong}\n{survived.before.stderr}\n{survived.after.stdout}\n{survived.after.stderr}"


@pytest.mark.parametrize("point", _POINTS)
def test_killed_there_and_run_again(product: Product, tmp_path: Path, point: str) -> None:
    scene = make_scene_for(tmp_path, point)
    survived = kill_at_point(product, scene, point)
    assert survived.kills == 1, f"{point} was not reached:\n{survived.before.stderr}"
    wrong = what_is_wrong(survived.toll, scene, most_runs(point))
    assert not wrong, f"{wrong}\n{survived.before.stderr}\n{survived.after.stdout}\n{survived.after.stderr}"
