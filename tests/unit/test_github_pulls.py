"""A marker is a worker's only in a pull request from the repository itself."""

from __future__ import annotations

from typing import Any

import pytest

from parallel_workers.adapters.github.pulls import as_pull_request
from parallel_workers.pull_request_marker import marker


def pull(head_repository: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "number": 7,
        "html_url": "https://github.invalid/octo/project/pull/7",
        "title": "Do it",
        "body": f"Report.\n{marker('worker-one')}",
        "state": "open",
        "merged_at": None,
        "head": {"ref": "feature/one", "sha": "1" * 40, "repo": head_repository},
        "base": {"ref": "main", "sha": "2" * 40, "repo": {"id": 1}},
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }


def test_the_repositorys_own_is_the_workers() -> None:
    assert as_pull_request(pull({"id": 1})).worker == "worker-one"


@pytest.mark.parametrize("head_repository", [{"id": 2}, None], ids=["a fork", "a deleted fork"])
def test_a_copied_marker_is_nobodys(head_repository: dict[str, Any] | None) -> None:
    assert as_pull_request(pull(head_repository)).worker is None
