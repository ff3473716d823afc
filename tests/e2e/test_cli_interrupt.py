"""Ctrl-C: once in good order, twice at once; no agent survives, and the next run goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.e2e.product import WRITE_FILE, Product, finish, wait_until, write_batch

SLOW = 'test -e "$HOME/go-{mark}" || {{ echo begun; echo $$ > "$HOME/pid-{mark}"; exec sleep 300; }}; ' + WRITE_FILE
STUBBORN = 'trap "" TERM; echo $$ > "$HOME/pid-{mark}"; while :; do sleep 1; done'


def agent_pid(product: Product, mark: str) -> int:
    file = product.home / f"pid-{mark}"
    return int(wait_until(lambda: file.exists() and file.read_text(encoding="utf-8").strip(), f"{mark} has begun"))


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_in_good_order_and_the_next_run_goes_on(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, signum: signal.Signals
) -> None:
    mark = signum.name.lower()
    repository = make_repository()
    task = {"id": f"STOP-{mark}", "shell": SLOW.format(mark=mark)}
    spec = write_batch(tmp_path / f"{mark}.yml", repository, [task])
    running = product.begin("run", str(spec), "--poll-interval", "0.5", "--max-workers", "2", "--json")
    pid = agent_pid(product, mark)
    running.send_signal(signum)
    stopped = finish(running)
    assert stopped.exit_code == 130, stopped.stderr
    assert stopped.results() == {f"STOP-{mark}": "cancelled"}
    assert f"Go on with: parallel-workers run {spec} --max-workers 2\n" in stopped.stderr
    wait_until(lambda: is_gone(pid), "the agent has ended", 30)

    (product.home / f"go-{mark}").touch()
    again = product.run(spec)
    assert again.results() == {f"STOP-{mark}": "merged"}
    assert again.exit_code == 0


def test_a_second_signal_leaves_at_once_and_leaves_no_agent(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    task = {"id": "STUBBORN", "shell": STUBBORN.format(mark="stubborn")}
    spec = write_batch(tmp_path / "stubborn.yml", make_repository(), [task])
    running = product.begin("run", str(spec), "--json")
    pid = agent_pid(product, "stubborn")
    running.send_signal(signal.SIGINT)
    assert running.stderr is not None
    lines = iter(running.stderr.readline, "")
    assert any("Stopping" in line for line in lines)
    running.send_signal(signal.SIGINT)
    ended = finish(running)
    assert ended.exit_code == 130
    assert "Leaving at once" in ended.stderr
    assert ended.stdout == ""
    wait_until(lambda: is_gone(pid), "the agent has ended", 30)
    assert product.call("up", "--server-only", "--json").data["started"] is False  # the server went on


def test_a_signal_that_was_ignored_from_the_start_stays_ignored(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    task = {"id": "NOHUP", "shell": SLOW.format(mark="nohup").replace("exec sleep 300", "sleep 2") + "; echo $$"}
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
    agent_pid(product, "nohup")
    running.send_signal(signal.SIGHUP)
    ended = finish(running)
    assert (ended.exit_code, ended.results()) == (0, {"NOHUP": "merged"})
