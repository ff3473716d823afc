"""Ctrl-C: once in good order, twice at once; no agent survives, and the next run goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.agents.process_tree import Process, still_alive
from tests.agent_at_work import AgentAtWork, assert_ended_and_kept
from tests.conftest import Git
from tests.e2e.product import Product, finish, wait_until, write_batch


def stands(product: Product, task_id: str) -> dict[str, str]:
    """What `list` tells of a task's worker."""
    (found,) = (each for each in product.call("list", "--json").data if each["task_id"] == task_id)
    return {key: found[key] for key in ("state", "prefect_state", "worktree")}


def assert_cancelled(product: Product, task_id: str, processes: tuple[Process, ...]) -> None:
    """No process is left, all work is, and `list` says so."""
    worker = stands(product, task_id)
    assert (worker["state"], worker["prefect_state"]) == ("UNKNOWN", "Cancelled")
    assert_ended_and_kept(processes, Path(worker["worktree"]))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_in_good_order_and_the_next_run_goes_on(
    product: Product, make_repository: Callable[..., Path], git: Git, tmp_path: Path, signum: signal.Signals
) -> None:
    repository, agent, task_id = make_repository(), AgentAtWork(tmp_path / "agent"), f"STOP-{signum.name}"
    spec = write_batch(tmp_path / "batch.yml", repository, [{"id": task_id, "shell": agent.shell}])
    running = product.begin("run", str(spec), "--poll-interval", "0.5", "--max-workers", "2", "--json")
    processes = agent.wait_until_at_work()
    running.send_signal(signum)
    stopped = finish(running)
    assert stopped.exit_code == 130, stopped.stderr
    assert stopped.results() == {task_id: "cancelled"}
    assert f"Go on with: parallel-workers run {spec} --max-workers 2\n" in stopped.stderr
    assert_cancelled(product, task_id, processes)

    agent.let_finish()
    again = product.run(spec)
    assert again.results() == {task_id: "merged"}
    assert again.exit_code == 0
    assert git(repository, "show", "main:some.txt") == "some"


def test_a_second_signal_leaves_at_once_and_leaves_no_agent(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    agent = AgentAtWork(tmp_path / "agent", ignores_term=True)
    spec = write_batch(tmp_path / "stubborn.yml", make_repository(), [{"id": "STUBBORN", "shell": agent.shell}])
    running = product.begin("run", str(spec), "--json")
    processes = agent.wait_until_at_work()
    running.send_signal(signal.SIGINT)
    assert running.stderr is not None
    lines = iter(running.stderr.readline, "")
    assert any("Stopping" in line for line in lines)
    assert len(still_alive(processes)) == 2
    running.send_signal(signal.SIGINT)
    ended = finish(running)
    assert ended.exit_code == 130
    assert "Leaving at once" in ended.stderr
    assert ended.stdout == ""
    assert_cancelled(product, "STUBBORN", processes)
    assert product.call("up", "--server-only", "--json").data["started"] is False  # the server went on


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    begun, go_on = tmp_path / "begun", tmp_path / "go on"
    work = f"touch '{begun}'; while ! test -e '{go_on}'; do sleep 0.1; done; echo x > x.txt"
    task = {"id": "NOHUP", "shell": work}
    spec = write_batch(tmp_path / "nohup.yml", make_repository(), [task])
    command = ["nohup", sys.executable, "-m", "parallel_workers.cli.main", "run", str(spec), "--json"]
    running = subprocess.Popen(
        command,
        env=product.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(begun.exists, "the agent is at work")
    running.send_signal(signal.SIGHUP)
    go_on.touch()
    ended = finish(running)
    assert (ended.exit_code, ended.results()) == (0, {"NOHUP": "merged"})
