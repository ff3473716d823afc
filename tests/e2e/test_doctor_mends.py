"""The commands that `doctor` prints, typed into a shell as they are written, each on the trouble it is for."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from parallel_workers.adapters.git.leftovers import Leftovers, find_strays
from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.decisions.health import decide_mends, judge_health
from parallel_workers.decisions.health_of_host import check_database
from parallel_workers.health import DatabaseFacts, Finding, ForgetWorktree, HealthFacts, Severity
from parallel_workers.identity import branch_name, worker_id, worktree_path
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.e2e.page_commands import Reader
from tests.e2e.product import Product
from tests.unit.healthy import GIGA, HEALTHY


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """Somebody at a machine that nobody has used yet."""
    (tmp_path / "my place").mkdir()
    return Reader(Product(tmp_path / "my place"), tmp_path)


def not_ok(facts: HealthFacts) -> list[Finding]:
    return [finding for finding in judge_health(facts) if finding.severity is not Severity.OK]


class Leaving:
    """A repository and a worktree root where each task has been left in another way."""

    def __init__(self, repository: Path, root: Path, git: Git) -> None:
        self.repository, self.root, self._git = repository, root, git

    def worktree(self, task_id: str, project: str = "shop") -> WorktreePlan:
        """A worktree of a worker that no server knows."""
        opened = open_repository(self.repository)
        plan = WorktreePlan(
            worker=worker_id(opened.identity, "batch", task_id),
            branch=branch_name(task_id),
            base_branch="main",
            base_sha=self._git(self.repository, "rev-parse", "main"),
            path=worktree_path(self.root, project, task_id),
        )
        opened.ensure_worktree(plan)
        return plan

    def record(self, plan: WorktreePlan) -> Path:
        """Where git keeps what it knows of the worktree."""
        return self.repository / ".git" / "worktrees" / plan.path.name

    def facts(self) -> HealthFacts:
        """What `doctor` would find out, on a server that knows no worker."""
        return HEALTHY._replace(
            repository=Leftovers(self.repository).look(), strays=find_strays(self.root), runs=(), live_workers=()
        )


def test_what_is_left_in_a_repository(
    reader: Reader, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    leaving = Leaving(make_repository("my repo"), tmp_path / "my trees", git)
    unknown, gone, locked, detached = (leaving.worktree(name) for name in ("UNKNOWN", "GONE", "LOCKED", "DETACHED"))
    half, moved, missing = leaving.worktree("HALF"), leaving.worktree("MOVED"), leaving.worktree("MISSING", "other")
    (leaving.record(half) / "locked").write_text("initializing")
    git(leaving.repository, "worktree", "lock", "--reason", "on a stick", str(locked.path))
    git(detached.path, "switch", "--quiet", "--detach")
    for folder in (gone.path, locked.path, detached.path, missing.path.parent):
        shutil.rmtree(folder)
    moved.path.rename(moved.path.with_name("moved-away"))
    files = unknown.path.with_name("files")
    files.mkdir()
    (files / "mine.txt").touch()
    lock = leaving.repository / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (time.time() - 4000,) * 2)

    first = not_ok(leaving.facts())
    assert [(each.check, each.severity) for each in first if each.check != "branches"] == [
        ("locks", Severity.PROBLEM), *[("folders", Severity.WARNING)] * 2, *[("worktrees", Severity.WARNING)] * 6,
    ]  # fmt: skip
    assert [mend for mend in decide_mends(leaving.facts()) if isinstance(mend, ForgetWorktree)] == [
        ForgetWorktree(gone.path)
    ]
    known: set[str] = set()
    said: list[str] = []
    while found := not_ok(leaving.facts()):
        assert not known & {each.what for each in found}, "what was typed has mended it"
        known |= {each.what for each in found}
        for command in dict.fromkeys(each.mend for each in found):
            done = reader.types(command)
            assert done.exit_code == 0, (command, done.stderr)
            said += done.stderr.splitlines()
    assert f"Removed {moved.path}-away; the branch {moved.branch} is kept." in said, "it was a worktree again"
    assert (files.with_name("files.old") / "mine.txt").exists()


def told(reader: Reader, before: str = "") -> list[dict[str, str]]:
    """What `doctor` finds not ok, typed after something else."""
    return [
        each
        for each in reader.types(f"{before}parallel-workers doctor --json").data["findings"]
        if each["severity"] != "ok"
    ]


def test_what_is_wrong_with_the_machine(reader: Reader, make_repository: Callable[..., Path], git: Git) -> None:
    server = reader.product.home / "data" / "server"
    server.mkdir(parents=True)
    (server / "prefect.db").write_bytes(b"no database" * 1000)
    (damaged,) = told(reader)
    assert reader.types(damaged["mend"]).exit_code == 0
    away = 'export PREFECT_API_URL="http://127.0.0.1:9/api"; '
    (lost,) = told(reader, away)
    assert told(reader, f"{away}{lost['mend']}\n") == []
    git(reader.product.home, "init", "--quiet")
    (inside,) = told(reader)
    assert told(reader, f"{inside['mend']}; trap 'rmdir \"$PARALLEL_WORKERS_WORKTREE_ROOT\"' EXIT; ") == []

    database = server.with_name("server.damaged") / "large.db"
    with closing(sqlite3.connect(database)) as made, made:
        made.execute("create table kept (id)")
    (large,) = check_database(HEALTHY._replace(python=sys.executable, database=DatabaseFacts(database, 3 * GIGA)))
    done = reader.types(large.mend)
    assert done.exit_code == 0, done.stderr

    settings = make_repository("other", {".parallel-workers.yml": "agents: {mine: {command: [no-such-agent]}}\n"})
    (program,) = Reader(reader.product, settings).types("parallel-workers doctor --json").data["findings"][1:2]
    assert "no-such-agent" in reader.types(f"EDITOR=cat; {program['mend']}").stdout
