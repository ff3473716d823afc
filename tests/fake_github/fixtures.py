"""Pytest fixtures: put `pytest_plugins` or an import of `fake_github` into a conftest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_github.server import FakeGitHub


@pytest.fixture
def fake_github(tmp_path: Path) -> Iterator[FakeGitHub]:
    """A running fake; at the end the test fails if the fake broke, or answered what GitHub would not."""
    before = set(threading.enumerate())
    with FakeGitHub(tmp_path / "fake-github") as server:
        yield server
    left = [
        thread.name for thread in threading.enumerate() if thread not in before and "process_request" in thread.name
    ]
    assert left == []
    assert server.recordings.failures == []
    assert server.recordings.invalid_answers == []
