"""The engine is killed between push and pull request, whether GitHub made it or not: in the end there is one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.github_side import github_side, telling_at_once
from tests.e2e.product import WRITE_FILE, Product, finish, wait_until, write_batch
from tests.fake_github.ci import CheckReport
from tests.fake_github.faults import FaultKind


@pytest.mark.parametrize("was_made", [False, True], ids=["never made", "made, and the answer lost"])
def test_killed_between_push_and_pull_request(product: Product, tmp_path: Path, git: Git, *, was_made: bool) -> None:
    journal, name = tmp_path / "journal", f"kill-{was_made}".lower()
    shell = f"echo $$ >> '{journal}'; {WRITE_FILE}"
    spec = write_batch(tmp_path / f"{name}.yml", tmp_path / "clone", [{"id": "T", "shell": shell}], forge="github")
    with github_side(tmp_path, git, {"README.md": "# a project\n"}) as hub:
        hub.repository.set_ci(lambda _head: [CheckReport("unit")])
        kind = FaultKind.LOST if was_made else FaultKind.RESET
        hub.server.faults.next(kind, method="POST", path="/pulls$", times=1000)
        with hub.running(product, spec) as engine:
            asked_for = hub.server.faults.done
            wait_until(lambda: asked_for[kind] or engine.poll() is not None, "the pull request is asked for")
            os.kill(engine.pid, signal.SIGKILL)
            finish(engine)
        assert "feature/t" in hub.repository.branches(), "it was pushed"
        assert len(hub.pulls()) == int(was_made)
        hub.server.faults.clear()
        with telling_at_once(product):
            done = hub.run(product, spec)
        assert done.results() == {"T": "merged"}, done.stderr
        (pull,) = hub.pulls()
        assert pull.merged_at
        assert len(hub.merges()) == 1
        assert len(journal.read_text().splitlines()) == 1, "the agent is not paid for twice"
