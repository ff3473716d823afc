"""kill -9 of the engine at random times, again and again on the same batch: in the end all is there, once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.kills import kill_again_and_again
from tests.chaos.random_times import draw_delays
from tests.chaos.scenes import make_scene
from tests.chaos.tolls import what_is_wrong
from tests.e2e.product import Product


@pytest.mark.parametrize("first_seed", [1, 1000])
def test_killed_five_times_and_run_again(product: Product, tmp_path: Path, first_seed: int) -> None:
    seed, kills = first_seed, 0
    while kills < 5:  # an engine that has ended before its time is not killed
        delays = draw_delays(seed, 5 - kills)
        scene = make_scene(tmp_path, f"random-{seed}", tasks=2, pause_seconds=0.2)
        survived = kill_again_and_again(product, scene, delays)
        wrong = what_is_wrong(survived.toll, scene, 1 + survived.kills)
        assert not wrong, f"{wrong} after kills at {delays}\n{survived.after.stdout}\n{survived.after.stderr}"
        seed, kills = seed + 1, kills + survived.kills
