"""A token without the permission for check runs gets holes in their place: red stays red, nothing merges over it."""

from __future__ import annotations

from typing import Any

import pytest

from parallel_workers.adapters.github.snapshots import read_checks
from parallel_workers.pull_request_snapshots import CheckState


def rollup(state: str, *nodes: dict[str, Any] | None) -> dict[str, Any]:
    return {"statusCheckRollup": {"state": state, "contexts": {"nodes": nodes, "pageInfo": {"hasNextPage": False}}}}


def status(state: str) -> dict[str, Any]:
    return {"__typename": "StatusContext", "context": "lint", "state": state, "isRequired": False, "targetUrl": None}


@pytest.mark.parametrize("state", ["FAILURE", "ERROR"])
def test_red_that_cannot_be_read_is_red(state: str) -> None:
    checks = read_checks(rollup(state, None, status("SUCCESS")))
    assert [check.state for check in checks] == [CheckState.GREEN, CheckState.RED]
    assert "may not read" in checks[-1].name


def test_red_that_is_counted_and_not_listed_is_red() -> None:
    (green, red) = read_checks(rollup("FAILURE", status("SUCCESS")))
    assert (green.state, red.state) == (CheckState.GREEN, CheckState.RED)


def test_green_that_cannot_be_read_is_green() -> None:
    assert read_checks(rollup("SUCCESS", None)) == ()


def test_red_that_can_be_read_is_told_once() -> None:
    assert [check.name for check in read_checks(rollup("FAILURE", None, status("FAILURE")))] == ["lint"]
