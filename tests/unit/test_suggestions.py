"""The nearest known name."""

from __future__ import annotations

import pytest

from parallel_workers.reading.suggestions import nearest, suggest


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("descripton", ("id", "description"), "description"),
        ("DependsOn", ("depends_on",), "depends_on"),
        ("base-branch", ("base_branch",), "base_branch"),
        ("desc", ("id", "description"), "description"),
        ("de", ("description", "dependencies"), None),
        ("zzz", ("id", "description"), None),
        ("", ("id",), None),
        ("x", (), None),
    ],
)
def test_nearest(name: str, known: tuple[str, ...], found: str | None) -> None:
    assert nearest(name, known) == found


def test_without_a_near_name_all_known_ones_are_told() -> None:
    assert suggest("zzz", ("a", "b")) == "known: a, b"
    assert suggest("zzz", tuple(f"name{i}" for i in range(50))).endswith("name11, …")
    assert suggest("zzz", ()) == ""
