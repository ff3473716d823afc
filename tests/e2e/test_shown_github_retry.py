"""Retry in the UI after the process of a deployed run was killed on GitHub: it goes on, with the one pull request."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_workers.crash_points import CRASH_VARIABLE
from tests.conftest import Git
from tests.e2e.github_side import github_side
from tests.e2e.hosted import START_SECONDS, Hosted
from tests.e2e.product import WRITE_FILE, wait_until, write_batch
from tests.fake_github.ci import CheckReport


@pytest.mark.timeout(300)
def test_retry_after_a_kill_makes_no_second_pull_request(tmp_path: Path, git: Git) -> None:
    journal = tmp_path / "journal"
    shell = f"echo $$ >> '{journal}'; {WRITE_FILE}"
    spec = write_batch(tmp_path / "retry.yml", tmp_path / "clone", [{"id": "T", "shell": shell}], forge="github")
    with github_side(tmp_path, git, {"README.md": "# a project\n"}) as hub:
        hub.repository.set_ci(lambda _head: [CheckReport("unit")])
        # reached once: who comes again finds the pull request, and makes none
        more = {**hub.environment, CRASH_VARIABLE: "github.pull-request-created"}
        hosted = Hosted(tmp_path, more=more)
        try:
            hosted.start("run-batch", {"spec": str(spec)})
            wait_until(hub.pulls, "the pull request is made")
            run_id = str(wait_until(hosted.workers, "the worker is known")["T"]["flow_run_id"])
            hosted.wait_for_run(run_id, ("CRASHED", "Crashed"))
            (pull,) = hub.pulls()
            assert pull.label_keys == [], "it was killed before"
            wait_until(lambda: _is_merged_or_retried(hosted, run_id), "it is merged", START_SECONDS)
        finally:
            hosted.down()
        assert hosted.programs() == []
        (pull,) = hub.pulls()
        assert pull.merged_at
        assert len(hub.merges()) == 1
        assert pull.label_keys == ["type:task"]
        assert set(hub.repository.branches()) == {"main"}
        assert len(journal.read_text().splitlines()) == 1, "the agent is not paid for twice"


def _is_merged_or_retried(hosted: Hosted, run_id: str) -> bool:
    """Presses Retry as often as it shows Crashed: Prefect's worker may report the crash once more, over the first."""
    if hosted.state(run_id) == ("CRASHED", "Crashed"):
        retry = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
        hosted.api("POST", f"/flow_runs/{run_id}/set_state", {"state": retry, "force": True})
    return hosted.state(run_id) == ("COMPLETED", "MERGED")
