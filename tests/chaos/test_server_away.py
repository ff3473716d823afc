"""The Prefect server is killed while a batch runs, and is back a while later: nothing is done twice, all is merged."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from deployments.server_address import address_file, read_record
from tests.chaos.kills import read_runs
from tests.chaos.scenes import git, make_scene
from tests.e2e.product import RUN, Product, Task, finish, wait_until, write_batch

_AWAY_SECONDS = 20.0


def test_work_goes_on_and_nothing_is_redone(tmp_path: Path) -> None:
    product, scene, journal = Product(tmp_path), make_scene(tmp_path, "away"), tmp_path / "runs"
    shell = f'echo "$PARALLEL_WORKERS_TASK_ID" >> "{journal}"; sleep 2; echo x > "$PARALLEL_WORKERS_TASK_ID"'
    tasks: list[Task] = [{"id": "A", "shell": shell}, {"id": "B", "shell": shell, "dependencies": ["A"]}]
    write_batch(scene.spec, scene.repository, tasks)
    engine = product.begin(*RUN, str(scene.spec))
    wait_until(journal.exists, "the agent is at work")
    record = read_record(address_file(product.home / "data" / "server"))
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    time.sleep(_AWAY_SECONDS)
    assert engine.poll() is None, "it waits"
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
    finally:
        product.call("down")
