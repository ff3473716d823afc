"""`doctor` as a user calls it: on a fresh home, and after a real engine was killed while its agent was at work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from parallel_workers.adapters.agents.process_tree import (
    Process,
    send_signal,
    still_alive,
)
from tests.agent_at_work import AgentAtWork, assert_ended_and_kept, kill_engine
from tests.conftest import Git
from tests.e2e.page_commands import Reader, blocks_by_heading
from tests.e2e.product import RUN, Ended, Product, finish, wait_until, write_batch

KEYS = {"check", "severity", "what", "mend", "fixable"}


def findings(ended: Ended) -> list[dict[str, Any]]:
    """What is not ok."""
    return [each for each in ended.data["findings"] if each["severity"] != "ok"]


@pytest.fixture
def fresh(tmp_path: Path) -> Product:
    """A product that nobody has used yet."""
    return Product(tmp_path)


class TestWithoutAServer:
    """Nothing is started, nothing written, and a finding names what mends it."""

    def test_a_fresh_home_is_healthy(self, fresh: Product) -> None:
        ended = fresh.call("doctor", "--json")
        assert ended.exit_code == 0
        assert set(ended.data) == {"healthy", "findings", "mended"}
        assert all(set(each) == KEYS for each in ended.data["findings"])
        assert (ended.data["healthy"], ended.data["mended"], findings(ended)) == (True, [], [])
        assert "none runs" in next(each["what"] for each in ended.data["findings"] if each["check"] == "server")
        assert list(fresh.home.iterdir()) == []
        assert fresh.processes() == []

    def test_prefect_is_not_imported(self, fresh: Product) -> None:
        ended = fresh.call("doctor", PYTHONPROFILEIMPORTTIME="1")
        assert ended.exit_code == 0
        assert "parallel_workers.decisions.health" in ended.stderr
        assert "prefect.main" not in ended.stderr

    def test_a_table_for_a_person(self, fresh: Product) -> None:
        ended = fresh.call("doctor")
        assert ended.stdout.splitlines()[0].split() == ["CHECK", "RESULT", "FINDING", "MEND"]
        assert ended.stderr == "All is well.\n"

    def test_a_named_folder_that_is_no_repository_is_wrong_usage(self, fresh: Product) -> None:
        ended = fresh.call("doctor", "--repository", str(fresh.home))
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert "is not in a git repository" in ended.stderr

    def test_leftovers_of_git_are_found_and_mended(
        self, fresh: Product, make_repository: Callable[..., Path], git: Git
    ) -> None:
        repository = make_repository("my repo")
        made = ("worktree", "create", "p", "T-1", "main", "--repository", str(repository), "--json")
        folder = Path(fresh.call(*made).data["worktree"])
        shutil.rmtree(folder)
        lock = repository / ".git" / "index.lock"
        lock.touch()
        os.utime(lock, (time.time() - 4000,) * 2)

        found = fresh.call("doctor", "--repository", str(repository), "--json")
        assert found.exit_code == 1
        assert [(each["check"], each["severity"], each["fixable"]) for each in findings(found)] == [
            ("locks", "problem", True),
            ("worktrees", "warning", True),
        ]
        assert lock.exists()
        fixed = fresh.call("doctor", "--repository", str(repository), "--fix", "--json")
        assert fixed.exit_code == 0
        assert [each["done"] for each in fixed.data["mended"]] == [True, True]
        assert findings(fixed) == []
        assert not lock.exists()
        assert str(folder) not in git(repository, "worktree", "list")
        assert git(repository, "branch", "--list", "feature/*").split() == ["feature/t-1"]
        told = fresh.call("doctor", "--repository", str(repository), "--fix")
        assert "Nothing of what is there may be mended" in told.stderr

    def test_agents_of_a_batch_file_and_of_the_settings(
        self, fresh: Product, make_repository: Callable[..., Path], tmp_path: Path
    ) -> None:
        settings = "agents:\n  mine: {command: [no-such-agent]}\n"
        repository = make_repository(files={".parallel-workers.yml": settings})
        ended = fresh.call("doctor", "--repository", str(repository), "--json")
        (found,) = findings(ended)
        assert (ended.exit_code, found["check"]) == (1, "agents")
        assert "mine: the agent's program 'no-such-agent' is not in" in found["what"]
        spec = write_batch(tmp_path / "good.yml", repository, [{"id": "A"}])
        assert fresh.call("doctor", "--spec-file", str(spec), "--json").exit_code == 0

    def test_a_damaged_database_is_moved_away_as_it_says(self, fresh: Product) -> None:
        server = fresh.home / "data" / "server"
        server.mkdir(parents=True)
        (server / "prefect.db").write_bytes(b"no database" * 1000)
        (found,) = findings(fresh.call("doctor", "--json"))
        assert (found["check"], found["severity"]) == ("database", "problem")
        assert found["mend"] == f"parallel-workers down --force; mv {server} {server}.damaged"

    def test_a_configured_server_that_is_away(self, fresh: Product) -> None:
        ended = fresh.call("doctor", "--json", PREFECT_API_URL="http://127.0.0.1:9/api")
        (found,) = findings(ended)
        assert (ended.exit_code, found["check"]) == (1, "server")


class Stranded(NamedTuple):
    """A batch whose engine and supervisors were killed with SIGKILL while its agent was at work."""

    repository: Path
    worker: str
    agent: AgentAtWork
    processes: tuple[Process, ...]
    worktree: Path


@pytest.fixture
def stranded(product: Product, make_repository: Callable[..., Path], tmp_path: Path) -> Iterator[Stranded]:
    repository, agent = make_repository(), AgentAtWork(tmp_path / "agent")
    spec = write_batch(repository / "batch.yml", repository, [{"id": "STUCK", "shell": agent.shell}])
    product.call("up", "--server-only")  # else it would be below the engine
    engine = product.begin(*RUN, str(spec))

    def at_work() -> list[dict[str, Any]]:
        listed = product.call("list", "--state", "WORKING", "--json").data
        return [each for each in listed if each["repository"] == str(repository)]

    wait_until(lambda: engine.poll() is not None or (agent.file.exists() and at_work()), "the agent is at work")
    assert engine.poll() is None, finish(engine).stderr
    (record,) = at_work()
    processes = agent.wait_until_at_work()
    kill_engine(processes[0])
    finish(engine)
    yield Stranded(repository, record["worker_id"], agent, processes, Path(record["worktree"]))
    for process in processes:
        send_signal(process, signal.SIGKILL)


def test_a_killed_engine_is_found_and_mended_and_its_work_kept(product: Product, stranded: Stranded) -> None:
    look = ("doctor", "--repository", str(stranded.repository), "--json")
    found = product.call(*look)
    assert found.exit_code == 1
    mine = [each for each in findings(found) if stranded.worker in each["what"]]
    assert [(each["check"], each["severity"], each["fixable"]) for each in mine] == [
        ("processes", "problem", True),
        ("workers", "problem", True),
    ]
    assert mine[0]["what"].endswith(f"(processes {', '.join(str(each.pid) for each in stranded.processes)})")
    assert mine[1]["mend"] == f"parallel-workers state set {stranded.worker} UNKNOWN"
    assert [each["fixable"] for each in findings(found) if "batch batch counts as Running" in each["what"]] == [True]
    assert len(still_alive(stranded.processes)) == 2

    page = blocks_by_heading("troubleshooting/stuck-in-working.md")
    reader = Reader(product, stranded.repository)
    listed, _, looked = reader.types_all(page["Look"], stranded.worker)
    assert stranded.worker in listed.stdout
    told = " ".join(looked.stdout.split())
    assert f"{stranded.worker} (STUCK) counts as WORKING since" in told
    assert ", and no engine on this machine runs it" in told
    assert f"the agent of {stranded.worker} runs on without its engine" in told
    fixed = reader.types(page["Its engine is dead"][0])
    for said in (
        "batch batch counts as ended; running its batch file again goes on with it",
        f"ended the agent of {stranded.worker} (2 processes); its work is kept",
        f"put {stranded.worker} back to UNKNOWN; running its batch again goes on with it",
    ):
        assert f"done    {said}" in fixed.stdout
    assert fixed.stdout.count(stranded.worker) == 2
    assert_ended_and_kept(stranded.processes, stranded.worktree)
    record = product.call("get", stranded.worker, "--json").data
    assert (record["state"], record["reason"].partition(";")[0]) == ("UNKNOWN", "its engine was gone")
    stranded.agent.let_finish()
    again = reader.types(page["Its engine is dead"][1])
    assert again.exit_code == 0, again.stdout


def test_the_next_run_alone_mends_the_same(product: Product, stranded: Stranded, git: Git) -> None:
    stranded.agent.let_finish()
    again = Reader(product, stranded.repository).types("parallel-workers run batch.yml")
    assert again.exit_code == 0, again.stderr
    assert "its agent were still there, and were ended" in again.stderr
    assert not still_alive(stranded.processes)
    assert git(stranded.repository, "show", "main:some.txt", "main:committed.txt") == "some\ncommitted"


def test_a_live_engine_is_left_alone(product: Product, make_repository: Callable[..., Path], tmp_path: Path) -> None:
    repository, gate = make_repository(), tmp_path / "gate"
    work = f'while ! test -e "{gate}"; do sleep 0.1; done; echo x > x.txt'
    spec = write_batch(tmp_path / "live.yml", repository, [{"id": "LIVE", "shell": work}])
    engine = product.begin(*RUN, str(spec))

    def at_work() -> bool:
        listed = product.call("list", "--state", "WORKING", "--json").data
        return engine.poll() is not None or any(each["task_id"] == "LIVE" for each in listed)

    wait_until(at_work, "the agent is at work")
    ended = product.call("doctor", "--fix", "--json", "--repository", str(repository))
    gate.touch()
    done = finish(engine)
    assert (ended.exit_code, ended.data["mended"]) == (0, []), json.dumps(findings(ended))
    assert done.results() == {"LIVE": "merged"}


def test_a_database_that_server_wrote_is_whole(product: Product) -> None:
    database = next(each for each in product.call("doctor", "--json").data["findings"] if each["check"] == "database")
    assert (database["severity"], "prefect.db" in database["what"]) == ("ok", True)
    with sqlite3.connect(f"file:{product.home / 'data' / 'server' / 'prefect.db'}?mode=ro", uri=True) as opened:
        assert opened.execute("pragma quick_check(1)").fetchone() == ("ok",)
    opened.close()
