"""Each troubleshooting page is tried as it is written, on the trouble it is for."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.agent_at_work import AgentAtWork, assert_ended_and_kept
from tests.conftest import Git
from tests.e2e.page_commands import Reader, blocks_by_heading
from tests.e2e.product import RUN, Product, finish, wait_until, write_batch


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Product]:
    """A product with the default places, and a server of its own that may be broken."""
    (tmp_path / "own").mkdir()
    product = Product(tmp_path / "own")
    del product.environment["PARALLEL_WORKERS_HOME"]
    yield product
    product.call("down", "--force")
    wait_until(lambda: not product.processes(), "every process has ended")


def test_stuck_in_working_with_a_living_engine(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    page = blocks_by_heading("troubleshooting/stuck-in-working.md")
    repository, agent = make_repository(), AgentAtWork(tmp_path / "agent")
    reader = Reader(product, repository)
    work = f"echo I am at it; {agent.shell}"
    write_batch(repository / "batch.yml", repository, [{"id": "STUCK-LIVE", "shell": work}])
    engine = product.begin(*RUN, str(repository / "batch.yml"))

    def worker_at_work() -> str:
        listed = product.call("list", "--state", "WORKING", "--json").data
        return next((each["worker_id"] for each in listed if each["repository"] == str(repository)), "")

    worker = wait_until(worker_at_work, "the agent is at work")
    wait_until(lambda: "I am at it" in reader.types(page["Look"][1], worker).stdout, "its log tells")
    processes = agent.wait_until_at_work()
    listed, _, looked = reader.types_all(page["Look"], worker)
    assert worker in listed.stdout
    assert looked.exit_code == 0, looked.stdout
    terminated = reader.types(page["Its agent does nothing"][0], worker)
    assert "UNKNOWN" in terminated.stdout, terminated.stderr
    assert finish(engine).results() == {"STUCK-LIVE": "cancelled"}
    assert_ended_and_kept(processes, Path(product.call("get", worker, "--json").data["worktree"]))
    by_hand = reader.types(page["Another machine may run it"][0], worker)
    assert by_hand.exit_code == 0, by_hand.stderr
    agent.let_finish()
    again = reader.types(page["Its agent does nothing"][1], worker)
    assert again.exit_code == 0, again.stderr


def test_worktree_already_exists(own: Product, make_repository: Callable[..., Path], git: Git) -> None:
    page = blocks_by_heading("troubleshooting/worktree-already-exists.md")
    repository, trees = make_repository(), own.home / ".worktrees" / "hello"
    reader = Reader(own, repository)
    (trees / "task-001").mkdir(parents=True)
    (trees / "task-001" / "mine.txt").touch()
    git(repository, "worktree", "add", "--quiet", "-b", "other-work", str(trees / "task-002"))
    git(repository, "worktree", "add", "--quiet", "-b", "more-work", str(trees / "task-003"))
    shutil.rmtree(trees / "task-003")
    git(repository, "branch", "feature/task-004")
    spec = write_batch(repository / "batch.yml", repository, [{"id": f"TASK-00{number}"} for number in range(1, 5)])
    spec.write_text(json.dumps({**json.loads(spec.read_text()), "project": "hello"}))

    failed, looked, _ = reader.types_all(next(iter(page.values())))
    assert (failed.exit_code, looked.exit_code) == (1, 0)
    for said in (
        "task-001 exists, holds files and is no worktree of ours",
        "a worktree for other-work is registered at",
        "a worktree whose folder is gone for more-work is registered at",
        "branch feature/task-004 exists already and worker-",
    ):
        assert said in failed.stdout
    assert "task-001 is no worktree of any repository" in looked.stdout
    assert "task-003 is gone" in looked.stdout
    for heading in list(page)[1:-1]:
        for done in reader.types_all(page[heading]):
            assert done.exit_code == 0, done.stderr
    (again,) = reader.types_all(page["Then"])
    assert again.exit_code == 0, again.stdout
    assert (trees / "task-001.old" / "mine.txt").exists()


def test_state_corruption(own: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git) -> None:
    page = blocks_by_heading("troubleshooting/state-corruption.md")
    repository, gate = make_repository(), tmp_path / "gate"
    reader = Reader(own, repository)
    work = f'echo half > half.txt; test -e "{gate}"'
    write_batch(repository / "batch.yml", repository, [{"id": "BROKEN", "shell": work}])
    run = own.call(*RUN, str(repository / "batch.yml"))
    worker = run.data["tasks"][0]["worker_id"]
    (set_back,) = reader.types_all(page["A worker is in the wrong state"], worker)
    assert set_back.exit_code == 0, set_back.stderr

    server = own.home / ".parallel-workers" / "server"
    with closing(sqlite3.connect(server / "prefect.db", timeout=30)) as database, database:
        changed = database.execute("update flow_run set labels = '{}' where idempotency_key = ?", (worker,))
        assert changed.rowcount == 1
    looked, _ = reader.types_all(next(iter(page.values())))
    assert looked.exit_code == 1
    assert f"{worker}: these labels are missing" in looked.stdout
    again, removed = reader.types_all(page["A worker's state cannot be read"], worker)
    assert (again.exit_code, removed.exit_code) == (1, 0), removed.stderr
    assert "is forgotten" in removed.stderr

    stop, move, run_again = page["The server's database is damaged"]
    own.call("down", "--force")
    for file in server.glob("prefect.db-*"):
        file.unlink()
    (server / "prefect.db").write_bytes(b"no database at all " * 1000)
    assert "file is not a database" in reader.types("parallel-workers doctor").stdout
    gate.touch()
    assert [reader.types(command).exit_code for command in (stop, move, run_again)] == [0, 0, 0]
    assert git(repository, "show", "main:half.txt") == "half"
