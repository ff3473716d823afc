"""kill -9 of the engine between two things that it asks GitHub for, then the same command again: each is done once.

`make chaos` has all of these points.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.github_kills import kill_on_github
from tests.e2e.github_side import telling_at_once
from tests.e2e.product import Product


@pytest.mark.parametrize("point", ["github.label-created", "github.merged", "github.comment-made"])
def test_killed_there_and_run_again_on_github(product: Product, tmp_path: Path, point: str) -> None:
    with telling_at_once(product):
        survived, wrong = kill_on_github(product, tmp_path, point)
    assert survived.kills == 1, f"{point} was not reached:\n{survived.before.stderr}"
    assert not wrong, f"{wrong}\n{survived.before.stderr}\n{survived.after.stdout}\n{survived.after.stderr}"
