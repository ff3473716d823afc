"""Every crash point is reached somewhere, is known, and cannot be asked for by a wrong name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parallel_workers.crash_points import (
    CRASH_POINTS,
    CRASH_VARIABLE,
    GITHUB_POINTS,
    RESCUE_POINTS,
    REWORK_POINTS,
    check_crash_point,
    reach,
)
from parallel_workers.errors import UsageError

ROOT = Path(__file__).parents[2]
REACHED = re.compile(r"\breach\(\"([^\"]+)\"\)")


def test_every_point_is_known_and_reached_somewhere() -> None:
    files = [path for package in ("parallel_workers", "flows") for path in (ROOT / package).rglob("*.py")]
    reached = [name for path in files for name in REACHED.findall(path.read_text(encoding="utf-8"))]
    assert set(reached) == {*CRASH_POINTS, *REWORK_POINTS, *RESCUE_POINTS, *GITHUB_POINTS}
    assert len(CRASH_POINTS) >= 25


def test_a_wrong_name_is_refused_and_names_the_right_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CRASH_VARIABLE, "pr.opend")
    with pytest.raises(UsageError, match=r"pr\.opend: no such point; there are: .*pr\.opened"):
        check_crash_point()


def test_nothing_happens_unless_a_test_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CRASH_VARIABLE, raising=False)
    check_crash_point()
    for point in (*CRASH_POINTS, *REWORK_POINTS, *RESCUE_POINTS):
        reach(point)
