"""A batch under deployments: while everybody waits for a person, there is no process that waits."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from parallel_workers.adapters.agents.process_tree import Process, still_alive
from tests.agent_at_work import AgentAtWork, assert_ended_and_kept, kill_engine
from tests.conftest import Git
from tests.e2e.hosted import Hosted
from tests.e2e.product import RUN, finish, wait_until, write_batch

TASKS = 4


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    """Server, Prefect worker and watcher; afterwards no process of them may be left."""
    hosted = Hosted(tmp_path)
    try:
        yield hosted
    finally:
        hosted.down()
    assert hosted.programs() == []


@pytest.mark.timeout(600)
def test_a_batch_waits_without_a_process_and_goes_on_when_a_person_merges(
    hosted: Hosted, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository = make_repository("shop", bare_remote=True)
    names = [f"TASK-{number}" for number in range(1, TASKS + 1)]
    tasks = [{"id": name} for name in names] + [{"id": "LAST", "dependencies": ["TASK-1"]}]
    spec = write_batch(tmp_path / "shop.yml", repository, tasks, merge="manual", max_workers=3)
    started = hosted.prefect("deployment", "run", "run-batch/run-batch", "--param", f"spec={spec}")
    assert started.exit_code == 0, started.stderr
    (batch,) = (run["id"] for run in hosted.api("POST", "/flow_runs/filter", {}) if run["parameters"].get("spec"))

    hosted.wait_for_run(batch, ("PAUSED", "WAITING"))
    workers = hosted.wait_for_states(dict.fromkeys(names, "PR_OPEN"))
    assert "waits for a person to merge pull request" in workers["TASK-1"]["reason"]
    assert hosted.programs() == ["deployments.server_process", *["deployments.standing_process"] * 2]
    assert "4 pull requests wait to be merged" in hosted.api("GET", f"/flow_runs/{batch}")["state"]["message"]

    second = hosted.start("run-batch", {"spec": str(spec)})
    hosted.wait_for_run(second, ("PAUSED", "WAITING"))
    numbers = [int(workers[name]["pr_number"]) for name in names]
    random.Random(7).shuffle(numbers)  # noqa: S311 - the same order each time
    hosted.merge(repository, numbers)
    send_event(hosted)
    hosted.wait_for_states({**dict.fromkeys(names, "MERGED"), "LAST": "PR_OPEN"})
    hosted.wait_for_run(batch, ("PAUSED", "WAITING"))
    last = hosted.workers()["LAST"]
    assert git(repository, "show", f"{last['branch']}:TASK-1.txt"), "it begins from what it depends on"

    hosted.merge(repository, [int(last["pr_number"])])
    hosted.wait_for_run(batch, ("COMPLETED", "Completed"))
    hosted.wait_for_run(second, ("COMPLETED", "Completed"))
    assert git(repository, "branch", "--list", "feature/*") == ""
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    states = [each["name"] for each in hosted.api("GET", f"/flow_run_states/?flow_run_id={last['flow_run_id']}")]
    assert [name for name in states if name in {"NEEDS_INIT", "WORKING", "PR_OPEN", "MERGED"}] == [
        *("NEEDS_INIT", "WORKING", "PR_OPEN", "PR_OPEN"),  # once in its process, once without
        *("PR_OPEN", "MERGED"),
    ]


def send_event(hosted: Hosted) -> None:
    """What CI sends when a pull request was closed."""
    hosted.api(
        "POST",
        "/events",
        [
            {
                "event": "parallel-workers.pull-request.closed",
                "occurred": datetime.now(UTC).isoformat(),
                "id": str(uuid.uuid4()),
                "resource": {"prefect.resource.id": "parallel-workers.repository.shop"},
            }
        ],
    )


def assert_pasted_nonsense_is_refused(hosted: Hosted, repository: Path, git: Git) -> None:
    """Nothing is begun, and the run says which line is wrong."""
    before = git(repository, "for-each-ref")
    broken = f"project: shop\nrepository: {repository}\ntasks:\n  - {{id: A, descripton: x}}\n"
    refused = hosted.start("run-batch", {"spec": broken})
    hosted.wait_for_run(refused, ("FAILED", "Failed"))
    said = hosted.api("GET", f"/flow_runs/{refused}")["state"]["message"]
    assert "Nothing was begun" in said
    assert "pasted YAML:4: task 'A': unknown key 'descripton' (did you mean 'description'?)" in said
    assert git(repository, "for-each-ref") == before


def retry_after_a_kill(
    hosted: Hosted, worker: dict[str, Any], agent: AgentAtWork, processes: tuple[Process, ...]
) -> None:
    """Its engine dies at once with the supervisor: the agent goes on, until the run is taken up again."""
    kill_engine(processes[0])
    hosted.wait_for_run(worker["flow_run_id"], ("CRASHED", "Crashed"))
    assert len(still_alive(processes)) == 2
    agent.let_finish()

    def is_merged() -> bool:
        state = hosted.state(worker["flow_run_id"])
        if state[0] == "CRASHED":  # Prefect reports it again two seconds later: a Retry before that is lost
            hosted.prefect("flow-run", "retry", worker["flow_run_id"])
        return state == ("COMPLETED", "MERGED")

    wait_until(is_merged, "it was taken up again", 120)
    assert not still_alive(processes)


@pytest.mark.timeout(600)
def test_what_a_person_with_only_the_api_does(
    hosted: Hosted, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository, flag = make_repository("shop"), tmp_path / "now it works"
    assert_pasted_nonsense_is_refused(hosted, repository, git)
    agents = {name: AgentAtWork(tmp_path / name) for name in ("UI", "PREFECT", "TERMINATED", "KILLED")}
    fails = {"id": "FAILS", "shell": f"test -e '{flag}' && echo x > f.txt"}
    tasks = [
        fails,
        {"id": "WAITS", "merge": "manual"},
        *({"id": name, "shell": agent.shell} for name, agent in agents.items()),
    ]
    text = write_batch(tmp_path / "b.yml", repository, tasks, merge="auto").read_text()
    batch = hosted.start("run-batch", {"spec": text, "name": "b", "max_workers": 5})
    workers = hosted.wait_for_states({**dict.fromkeys(agents, "WORKING"), "FAILS": "UNKNOWN", "WAITS": "PR_OPEN"})
    hosted.wait_for_run(workers["WAITS"]["flow_run_id"], ("PAUSED", "PR_OPEN"))
    hosted.wait_for_run(workers["FAILS"]["flow_run_id"], ("FAILED", "Failed"))
    processes = {name: agent.wait_until_at_work() for name, agent in agents.items()}
    retry_after_a_kill(hosted, workers["KILLED"], agents.pop("KILLED"), processes["KILLED"])
    (tmp_path / "again").mkdir()
    second = hosted.begin(*RUN, str(write_batch(tmp_path / "again/b.yml", repository, tasks[2:5], merge="auto")))
    assert second.stderr is not None
    waits = (line for line in second.stderr if "another engine on this machine is running it" in line)
    assert len([next(waits) for _ in agents]) == 3

    flag.touch()
    assert hosted.prefect("flow-run", "retry", workers["FAILS"]["flow_run_id"]).exit_code == 0
    cancelling = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
    for name in ("UI", "WAITS"):
        hosted.api("POST", f"/flow_runs/{workers[name]['flow_run_id']}/set_state", cancelling)
    assert hosted.prefect("flow-run", "cancel", workers["PREFECT"]["flow_run_id"]).exit_code == 0
    assert hosted.call("terminate", workers["TERMINATED"]["worker_id"]).exit_code == 0
    for name in agents:
        hosted.wait_for_run(workers[name]["flow_run_id"], ("CANCELLED", "Cancelled"))
        assert_ended_and_kept(processes[name], Path(workers[name]["worktree"].replace("~", str(hosted.home))))
        assert hosted.workers()[name]["state"] == "UNKNOWN"
    hosted.wait_for_run(workers["WAITS"]["flow_run_id"], ("CANCELLED", "Cancelled"))
    assert git(repository, "show", "feature/waits:WAITS.txt"), "nobody merges it, and it is kept"
    hosted.wait_for_run(workers["FAILS"]["flow_run_id"], ("COMPLETED", "MERGED"))
    hosted.wait_for_run(batch, ("FAILED", "Failed"))
    assert finish(second).results() == dict.fromkeys(agents, "cancelled"), "it has only told of it"
    assert git(repository, "show", "main:f.txt", "main:some.txt") == "x\nsome"

    left = write_batch(tmp_path / "left.yml", repository, [{"id": "LEFT", "shell": "exit 3"}])
    assert hosted.run(left).exit_code == 1
    refused = hosted.start("run-batch", {"spec": str(left)})
    hosted.wait_for_run(refused, ("FAILED", "Failed"))
    said = hosted.api("GET", f"/flow_runs/{refused}")["state"]["message"]
    assert "`parallel-workers run` began LEFT (worker-" in said
    assert "state remove" in said
