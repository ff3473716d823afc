"""Fixtures of the fake's own tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_github.fixtures import running_fake_github
from tests.fake_github.hub import Git, Hub, open_hub
from tests.fake_github.server import FakeGitHub


@pytest.fixture
def fake_github(tmp_path: Path) -> Iterator[FakeGitHub]:
    """A running fake without any repository."""
    with running_fake_github(tmp_path) as server:
        yield server


@pytest.fixture
def hub(fake_github: FakeGitHub, tmp_path: Path, git: Git) -> Iterator[Hub]:
    """A repository on the fake, used by the worker. At the end: nothing unknown was asked for."""
    opened = open_hub(fake_github, tmp_path, git)
    yield opened
    opened.client.close()
    assert fake_github.unknown_requests == []
    assert fake_github.recordings.unknown_parameters == []
