"""For a conftest: a running fake that leaves nothing behind and fails the test where it was not as GitHub."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fake_github.server import FakeGitHub
from tests.fake_github.tls import TlsFiles


@contextmanager
def running_fake_github(folder: Path, *, tls: TlsFiles | None = None) -> Iterator[FakeGitHub]:
    """Start it, stop it. A fixture needs no more than `with running_fake_github(tmp_path) as server: yield server`.

    At the end it asserts that no thread is left, that the fake made no mistake, and that each answer was as published.
    """
    before = set(threading.enumerate())
    with FakeGitHub(folder / "fake-github", tls=tls) as server:
        yield server
    left = {thread for thread in threading.enumerate() if "process_request" in thread.name} - before
    assert left == set()
    assert server.recordings.failures == []
    assert server.recordings.invalid_answers == []
