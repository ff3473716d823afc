"""A worker whose machine dies between its push and its pull request goes on where only the remote is the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.states import Scheduled

from deployments.server_address import ServerAddress
from deployments.set_up import set_up
from flows.flow_names import IMPLEMENT_TASK, deployment_of
from flows.worker_states import labels_of, tags_of
from parallel_workers.spec import AgentProfile, MergePolicy, TaskOrder, TaskSpec
from tests.conftest import Git
from tests.e2e.product import wait_until
from tests.e2e.topology import ROOT, kill_below


class Machine:
    """A home of its own; the results are kept where all machines look."""

    def __init__(self, folder: Path, name: str) -> None:
        self.home = folder / name
        self.home.mkdir()
        self._environment = os.environ | {
            "HOME": str(self.home),
            "PARALLEL_WORKERS_HOME": str(self.home / "data"),
            "PREFECT_HOME": str(self.home / "prefect"),
            "PREFECT_LOCAL_STORAGE_PATH": str(folder / "results"),
            "PYTHONPATH": str(ROOT),
        }

    def execute(self, run: UUID) -> subprocess.Popen[bytes]:
        """What a process Prefect worker does with a flow run."""
        command = [sys.executable, "-P", "-m", "prefect", "flow-run", "execute", str(run)]
        return subprocess.Popen(command, env=self._environment, cwd=self.home, start_new_session=True)


async def test_what_a_dead_machine_has_pushed_is_taken_over(
    prefect_server: ServerAddress, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    make_repository("shop", bare_remote=True)
    shared, pushed, runs = tmp_path / "shop.git", tmp_path / "pushed", tmp_path / "runs"
    hook = shared / "hooks" / "post-receive"
    hook.write_text(f"#!/bin/sh\ntouch '{pushed}'\nsleep 60\n")
    hook.chmod(0o755)
    run = await make_run(order_for(shared, f"echo x >> '{runs}'; echo done > done.txt"))

    first = Machine(tmp_path, "first")
    running = first.execute(run)
    wait_until(pushed.exists, "the first machine pushes", 90)
    kill_below(first.home)
    running.wait()
    hook.unlink()
    git(shared, "update-ref", "refs/heads/main", git(shared, "commit-tree", "main^{tree}", "-p", "main", "-m", "moved"))
    async with get_client() as client:
        await client.set_flow_run_state(run, Scheduled(), force=True)

    assert Machine(tmp_path, "second").execute(run).wait(90) == 0
    async with get_client() as client:
        state = (await client.read_flow_run(run)).state
    assert state is not None
    assert state.name == "MERGED", state.message
    assert git(shared, "show", "main:done.txt") == "done"
    assert runs.read_text() == "x\n", "the agent is not paid for twice"
    assert git(shared, "branch", "--list", "feature/*") == ""


def order_for(shared: Path, shell: str) -> TaskOrder:
    """A worker's order as run-batch makes it for any machine."""
    return TaskOrder(
        worker="worker-0123abcd",
        batch="shop/other-machine",
        project="shop",
        repository=shared.as_uri(),
        task=TaskSpec(id="T", description="do it", agent="writer"),
        base_branch="main",
        branch="feature/t",
        worktree="~/worktrees/shop/t",
        agent=AgentProfile(command=("sh", "-c", shell)),
        merge=MergePolicy.AUTO,
    )


async def make_run(order: TaskOrder) -> UUID:
    """The worker's flow run, as run-batch makes it."""
    await set_up()
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(deployment_of(IMPLEMENT_TASK))
        run = await client.create_flow_run_from_deployment(
            deployment.id,
            parameters={"order": order.model_dump(mode="json")},
            tags=tags_of(order),
            labels=dict(labels_of(order, correlation_id="0123")),
        )
    return run.id
