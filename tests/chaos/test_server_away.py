"""The Prefect server is away while a batch runs, and is back a while later: nothing is done twice, all is merged."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from deployments.server_address import address_file, read_record
from tests.chaos.faults import AWAY_VARIABLE
from tests.chaos.kills import read_runs
from tests.chaos.scenes import git, make_scene
from tests.conftest import TellFault
from tests.e2e.product import RUN, Product, Task, finish, wait_until, write_batch

_AWAY_SECONDS = float(os.environ.get(AWAY_VARIABLE) or 20)
_IN_CHAOS = pytest.mark.skipif(AWAY_VARIABLE not in os.environ, reason="as long again; `make chaos` does it")


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=_IN_CHAOS)])
def test_work_goes_on_and_nothing_is_redone(tmp_path: Path, tell_fault: TellFault, how: signal.Signals) -> None:
    product, scene, journal = Product(tmp_path), make_scene(tmp_path, "away"), tmp_path / "runs"
    shell = f'echo "$PARALLEL_WORKERS_TASK_ID" >> "{journal}"; sleep 2; echo x > "$PARALLEL_WORKERS_TASK_ID"'
    tasks: list[Task] = [{"id": "A", "shell": shell}, {"id": "B", "shell": shell, "dependencies": ["A"]}]
    write_batch(scene.spec, scene.repository, tasks)
    engine = product.begin(*RUN, str(scene.spec))
    wait_until(journal.exists, "the agent is at work")
    record = read_record(address_file(product.home / "data" / "server"))
    assert record is not None
    os.kill(record.pid, how)
    time.sleep(_AWAY_SECONDS)
    assert engine.poll() is None, "it waits"
    if how == signal.SIGSTOP:
        os.kill(record.pid, signal.SIGCONT)
    assert product.call("up", "--server-only").exit_code == 0
    done = finish(engine)
    try:
        assert done.exit_code == 0, done.stderr
        assert done.results() == {"A": "merged", "B": "merged"}
        assert journal.read_text().split() == ["A", "B"], "each agent ran once"
        subjects = git(scene.remote, "log", "--format=%s", "--first-parent", "main").splitlines()
        assert sum(subject.startswith("Merge pull request") for subject in subjects) == 2
        states = {str(run["name"]): run["state_name"] for run in read_runs(product, "project:away")}
        assert states == {"batch away": "Completed", "A · agent-A": "MERGED", "B · agent-B": "MERGED"}
        said = next((line for line in done.stderr.splitlines() if "could not be told" in line), "")
        what = "killed and started again" if how == signal.SIGKILL else "silent, and on again"
        tell_fault(f"server: {what} after {_AWAY_SECONDS:.0f} s", "merged, each agent once", said)
    finally:
        product.call("down")
