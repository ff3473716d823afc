"""Two of everything, and one of each is killed in the middle of a batch: every task is merged, and once."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.pull_requests import PullRequestState
from tests.conftest import Git
from tests.e2e.product import wait_until, write_batch
from tests.e2e.topology import Topology, missing_programs

# read while this file is imported: no test sees the environment that pytest was started in
_ASKED_FOR = os.environ.get("PARALLEL_WORKERS_TOPOLOGY_TASKS")
TASKS = int(_ASKED_FOR or "6")
SLOTS = 3
MAX_WORKERS = 4
MACHINES = ("worker-1", "worker-2")
_MIDDLE_SECONDS = 240.0 + 10 * TASKS
_END_SECONDS = 300.0 + 25 * TASKS

# Lines of less than a page that are appended are not mixed. $HOME is the machine.
AGENT = """
mine="{floor}/at-work/$(basename "$HOME").$PARALLEL_WORKERS_TASK_ID.$$"
mkdir "$mine"
echo "begin $PARALLEL_WORKERS_TASK_ID $(basename "$HOME") $(ls "{floor}/at-work" | wc -l)" >> "{floor}/log"
sleep 5
echo "$PARALLEL_WORKERS_DESCRIPTION" > "$PARALLEL_WORKERS_TASK_ID.txt"
echo "end $PARALLEL_WORKERS_TASK_ID $(basename "$HOME") 0" >> "{floor}/log"
rmdir "$mine"
"""


class Line(NamedTuple):
    """What an agent wrote down."""

    what: str
    task: str
    machine: str
    at_work: int


class Floor:
    """A folder outside both machines, where agents write down when they begin and end, and how many are there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "at-work").mkdir(parents=True)

    def lines(self) -> list[Line]:
        """Everything written down so far."""
        file = self.folder / "log"
        words = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return [Line(what, task, machine, int(count)) for what, task, machine, count in words]

    def at_work(self, machine: str) -> list[str]:
        """Tasks whose agent is at work on that machine."""
        return [each.name.split(".")[1] for each in (self.folder / "at-work").glob(f"{machine}.*")]

    def clear(self, machine: str) -> None:
        """The machine died, and its agents with it."""
        for each in (self.folder / "at-work").glob(f"{machine}.*"):
            each.rmdir()


@pytest.fixture
def topology() -> Iterator[Topology]:
    """Everything up; afterwards no process of it may be left."""
    if _ASKED_FOR is None:
        pytest.skip("takes minutes: make topology")
    if missing := missing_programs():
        pytest.skip(f"not on this machine: {', '.join(missing)} (as root, `make topology` installs them)")
    topology = Topology()
    try:
        topology.start()
        yield topology
    finally:
        left = topology.stop()
    assert left == []


@pytest.mark.timeout(780 + 45 * TASKS)
def test_every_task_is_merged_once_while_a_server_and_a_machine_die(
    topology: Topology,
    make_repository: Callable[..., Path],
    tmp_path: Path,
    git: Git,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_repository("shop", bare_remote=True)
    shared, floor = tmp_path / "shop.git", Floor(tmp_path / "floor")
    names = [f"TASK-{number:03}" for number in range(1, TASKS + 1)]
    git(shared, "remote", "remove", "origin")  # where it was cloned from: it is the end of the line itself
    topology.api("POST", "/v2/concurrency_limits/", {"name": "parallel-workers:work:shop", "limit": SLOTS})
    batch = start_batch(topology, shared, names, floor)

    dying = wait_for_moment(topology, floor, batch)
    topology.kill_server("server-a")
    killed = topology.kill_machine(dying)
    killed_at, cut_off = time.monotonic(), floor.at_work(dying)
    assert cut_off, "the machine died with an agent at work"
    floor.clear(dying)
    before = len(merged_workers(topology))

    wait_for_end(topology, batch)
    seconds = time.monotonic() - killed_at
    runs = Counter(line.task for line in floor.lines() if line.what == "begin")
    peak = max(line.at_work for line in floor.lines())
    with capsys.disabled():
        print(  # noqa: T201 - the figures are what one runs it for
            f"\n{TASKS} tasks: {before} merged when server-a and {dying} ({killed} processes, agents of "
            f"{', '.join(cut_off)}) were killed; all ended {seconds:.0f} s later; agents run "
            f"{sum(runs.values())} times, at most {peak} at once"
        )

    assert sorted(merged_workers(topology)) == names
    assert sorted(pull_requests(shared)) == [f"feature/{name.lower()}" for name in names]
    assert sorted(merged_files(git, shared)) == [f"{name}.txt" for name in names]
    assert len(git(shared, "rev-list", "--merges", "main").splitlines()) == TASKS
    assert {task for task, times in runs.items() if times > 1} <= set(cut_off)
    assert {line.machine for line in floor.lines()} == set(MACHINES), "both machines worked"
    assert peak == SLOTS, "the limit holds on both machines together, and is used up"
    wait_until(lambda: left_slots(topology) == 0, "what the dead machine held is free again", 150)


def start_batch(topology: Topology, shared: Path, names: list[str], floor: Floor) -> str:
    """Paste a batch into run-batch as one would in the UI; the id of its flow run."""
    agent = AGENT.format(floor=floor.folder)
    tasks = [{"id": name, "shell": agent} for name in names]
    file = write_batch(floor.folder / "shop.yml", shared, tasks, max_workers=MAX_WORKERS)
    found = topology.api("GET", "/deployments/name/run-batch/run-batch")
    # by URL, so that each machine clones it for itself
    where = {"repository": shared.as_uri(), "worktree_root": "~/worktrees"}
    parameters = {"spec": file.read_text(), "name": "all", "merge": "auto", **where}
    run = topology.api("POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})
    return str(run["id"])


def worker_runs(topology: Topology) -> list[dict[str, Any]]:
    """The flow runs of all workers."""
    chosen = {"flows": {"name": {"any_": ["implement-task"]}}, "limit": 200}
    runs: list[dict[str, Any]] = topology.api("POST", "/flow_runs/filter", chosen)
    return runs


def merged_workers(topology: Topology) -> list[str]:
    """The tasks whose worker is MERGED."""
    done = [run for run in worker_runs(topology) if (run["state_type"], run["state_name"]) == ("COMPLETED", "MERGED")]
    return [str(run["parameters"]["order"]["task"]["id"]) for run in done]


def wait_for_moment(topology: Topology, floor: Floor, batch: str) -> str:
    """Until a third is merged, and one machine carries the batch run and has an agent at work: that machine."""
    deadline = time.monotonic() + _MIDDLE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(1.0)  # we share the processors with what we look at
        if len(merged_workers(topology)) < TASKS // 3:
            continue
        carriers = [machine for machine in MACHINES if floor.at_work(machine) and _carries(topology, machine, batch)]
        if carriers and all_heard_of(topology):
            return carriers[0]
    raise AssertionError(f"not within {_MIDDLE_SECONDS:.0f} s:\n{standing(topology)}")


def all_heard_of(topology: Topology) -> bool:
    """Whether every run with a process has sent a heartbeat: the server cannot notice that a run fell silent before."""
    running = [run["id"] for run in worker_runs(topology) if run["state_type"] == "RUNNING"]
    return all(count_heartbeats(topology, run_id) for run_id in running)


def count_heartbeats(topology: Topology, run_id: str) -> int:
    """Heartbeats that the server has had of a run."""
    wanted = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "resource": {"id": [f"prefect.flow-run.{run_id}"]}}
    return int(topology.api("POST", "/events/filter", {"filter": wanted, "limit": 1})["total"])


def _carries(topology: Topology, machine: str, run_id: str) -> bool:
    """Whether a process of the machine carries out the flow run."""
    for process in topology.processes_of(machine):
        try:
            carried = process.environ().get("PREFECT__FLOW_RUN_ID", "")
        except psutil.Error:
            continue
        if carried.replace("-", "") == run_id.replace("-", ""):
            return True
    return False


def standing(topology: Topology) -> str:
    """How every worker stands, a line each."""
    said = [f"{run['name']}: {run['state_name']}: {run['state']['message']}" for run in worker_runs(topology)]
    return "\n".join(sorted(said))


def wait_for_end(topology: Topology, batch: str) -> None:
    """Until the batch is COMPLETED; with what every run says when it is not."""
    deadline = time.monotonic() + _END_SECONDS
    while (state := topology.api("GET", f"/flow_runs/{batch}")["state"])["type"] != "COMPLETED":
        if time.monotonic() > deadline or state["type"] in {"FAILED", "CRASHED", "CANCELLED"}:
            raise AssertionError(f"the batch is {state['name']}: {state['message']}\n{standing(topology)}")
        time.sleep(1.0)


def pull_requests(shared: Path) -> list[str]:
    """The branch of each pull request in the shared repository; all have to be merged."""
    found = open_local_forge(shared).fetch_pull_requests(include_ended=True)
    assert {each.state for each in found} == {PullRequestState.MERGED}
    return [each.head_branch for each in found]


def merged_files(git: Git, shared: Path) -> list[str]:
    """The file of each commit, other than a merge, that was brought to main since the batch began."""
    return git(shared, "log", "--no-merges", "--format=", "--name-only", "main", "--", "TASK-*").split()


def left_slots(topology: Topology) -> int:
    """Slots of the work limit that are still taken."""
    limit = topology.api("GET", "/v2/concurrency_limits/parallel-workers:work:shop")
    return int(limit["active_slots"])
