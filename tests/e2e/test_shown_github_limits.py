"""GitHub asks for a long pause: the worker says until when, waits, and goes on; its task does not fail for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.github_side import github_side
from tests.e2e.product import Product, write_batch
from tests.fake_github.ci import CheckReport
from tests.fake_github.faults import FaultKind


@pytest.mark.timeout(300)
def test_a_long_pause_is_waited_for(product: Product, tmp_path: Path, git: Git) -> None:
    spec = write_batch(tmp_path / "pause.yml", tmp_path / "clone", [{"id": "T"}], forge="github")
    with github_side(tmp_path, git, {"README.md": "# a project\n"}) as hub:
        hub.repository.set_ci(lambda _head: [CheckReport("unit")])
        # longer than a thread is held back (20 s), and than a step is tried again after that (7 s)
        hub.server.faults.retry_after_seconds = 30
        hub.server.faults.next(FaultKind.SECONDARY, method="GET", path="/git/ref/heads/")
        done = hub.run(product, spec)
        assert done.results() == {"T": "merged"}, (done.reasons(), done.stderr)
        assert "GitHub asked for a pause until" in done.stderr
        assert len(hub.pulls()) == 1
