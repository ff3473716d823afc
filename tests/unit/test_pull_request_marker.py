"""The hidden line that says whose a pull request is."""

from __future__ import annotations

import pytest

from parallel_workers.identity import worker_id
from parallel_workers.pull_request_marker import find_marker, marker, without_marker


def test_a_worker_is_found_again_wherever_its_marker_stands() -> None:
    worker = worker_id("repository", "batch", "TASK-1")
    assert marker("worker-1a2b3c4d") == "<!-- parallel-workers worker=worker-1a2b3c4d -->"
    assert find_marker(f"What was done\r\n\r\n{marker(worker)}\r\nsigned off") == worker


@pytest.mark.parametrize("body", [None, "", "by worker-1a2b3c4d", "<!-- parallel-workers worker= -->"])
def test_a_body_without_a_marker_names_nobody(body: str | None) -> None:
    assert find_marker(body) is None


def test_a_marker_that_the_text_quotes_is_not_ours() -> None:
    assert find_marker(f"{marker('worker-00000000')}\n{marker('worker-1a2b3c4d')}") == "worker-1a2b3c4d"


def test_a_commit_message_is_without_it() -> None:
    assert without_marker(f"What was done\n\n{marker('worker-1a2b3c4d')}\n") == "What was done"
    assert without_marker("<!-- a comment of a person -->") == "<!-- a comment of a person -->"
