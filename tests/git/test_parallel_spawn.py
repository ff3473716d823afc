"""Many workers on one clone, in threads and processes, and killed at any point."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.errors import RepositoryLockedError
from parallel_workers.identity import RESCUE_REF_PREFIX
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan

_SPAWN = """
import sys
from pathlib import Path
from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.worktrees import WorktreePlan
repository, worker, branch, base, path = sys.argv[1:]
open_repository(repository).ensure_worktree(WorktreePlan(worker, branch, "main", base, Path(path)))
"""


def live(repository: GitPythonRepository, plan: WorktreePlan) -> str:
    """A worker's whole life as far as git is concerned."""
    assert repository.fetch_base("main")
    repository.ensure_worktree(plan)
    (plan.path / f"{plan.worker}.txt").write_text("work", encoding="utf-8")
    head = repository.commit_all(plan.path, "work")
    assert head is not None
    assert repository.get_branch_work(plan.branch, plan.base_sha).files_changed == 1
    assert repository.push_branch(plan.branch) == head
    return head


def live_in_process(path: str, plans: list[WorktreePlan]) -> int:
    """The same for several workers at once, in a process of its own."""
    repository = open_repository(path)
    with ThreadPoolExecutor(len(plans)) as pool:
        heads = list(pool.map(lambda plan: live(repository, plan), plans))
        list(pool.map(repository.remove_worker, plans, heads))
    return len(heads)


def assert_all_gone(repository: GitPythonRepository, git: Git) -> None:
    assert repository.list_worktrees() == ()
    left = git(repository.path, "for-each-ref", "--format=%(refname)", "refs/heads/feature", "refs/parallel-workers")
    assert all(ref.startswith(RESCUE_REF_PREFIX) for ref in left.split())
    assert len(repository.list_rescues()) == 20, "nobody had merged them"
    assert git(repository.path, "ls-remote", "--heads", "origin", "feature/*") == ""
    assert not list(repository.common_dir.rglob("*.lock.*"))
    git(repository.path, "fsck", "--strict")


def test_twenty_workers_in_threads(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    plans = [make_plan(repository, f"TASK-{number}") for number in range(20)]

    with ThreadPoolExecutor(20) as pool:
        heads = list(pool.map(lambda plan: live(repository, plan), plans))

    assert len(set(heads)) == 20
    assert len(repository.list_worktrees()) == 20
    assert git(repository.path, "ls-remote", "--heads", "origin", "feature/*").count("\n") == 19
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(repository.remove_worker, plans, heads))
    assert_all_gone(repository, git)


def test_twenty_workers_in_four_processes(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    plans = [make_plan(repository, f"TASK-{number}") for number in range(20)]

    with multiprocessing.get_context("spawn").Pool(4) as pool:
        done = pool.starmap(live_in_process, [(str(repository.path), plans[part::4]) for part in range(4)])

    assert done == [5, 5, 5, 5]
    assert_all_gone(repository, git)


def test_the_same_worker_twice_at_once(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    plan = make_plan(repository)

    with ThreadPoolExecutor(8) as pool:
        ensured = list(pool.map(lambda _: repository.ensure_worktree(plan), range(8)))

    assert [answer.adopted for answer in ensured].count(False) == 1
    assert git(plan.path, "status", "--porcelain", "--branch") == f"## {plan.branch}"


def test_a_lock_that_is_never_freed_names_itself(clone: Path, make_plan: MakePlan, tmp_path: Path, git: Git) -> None:
    impatient = open_repository(clone, lock_timeout_seconds=0.05)
    plan = make_plan(impatient)

    with (
        RepositoryLock(clone / ".git/parallel-workers.lock").hold(),
        pytest.raises(
            RepositoryLockedError, match=f"{clone}/.git/parallel-workers.lock is still locked after 0.05 s"
        ) as caught,
    ):
        impatient.ensure_worktree(plan)

    assert caught.value.transient
    assert not plan.path.exists()
    impatient.ensure_worktree(plan)


def record_exists(admin: Path) -> bool:
    """git has begun its record."""
    return admin.exists()


def record_names_folder(admin: Path) -> bool:
    """git has written which folder the record is for."""
    return (admin / "gitdir").exists()


def checkout_runs(admin: Path) -> bool:
    """git is writing files."""
    return (admin / "index.lock").exists()


def checkout_ends(admin: Path) -> bool:
    """git has just written them all."""
    return (admin / "index").exists()


@pytest.mark.parametrize(
    ("reached", "with_git"),
    [
        (record_exists, True),
        (record_names_folder, True),
        (checkout_runs, True),
        (checkout_ends, True),
        # git goes on alone, and the next one has to wait for it
        (record_exists, False),
        (checkout_runs, False),
    ],
)
def test_killed_in_the_midst_then_adopted(
    make_repository: Callable[..., Path],
    make_plan: MakePlan,
    git: Git,
    reached: Callable[[Path], bool],
    *,
    with_git: bool,
) -> None:
    repository = open_repository(make_repository(files={f"d{n % 9}/{n}.txt": f"{n}\n" * 99 for n in range(300)}))
    plan = make_plan(repository)
    admin = repository.common_dir / "worktrees" / plan.path.name
    arguments = [str(repository.path), plan.worker, plan.branch, plan.base_sha, str(plan.path)]
    root = Path(__file__).parents[2]
    spawning = subprocess.Popen(
        [sys.executable, "-c", _SPAWN, *arguments], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    deadline = time.monotonic() + 30
    while not reached(admin):
        assert time.monotonic() < deadline
    family = [psutil.Process(spawning.pid)]
    if with_git:
        family += family[0].children(recursive=True)
    for process in family:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    spawning.wait(10)

    ensured = repository.ensure_worktree(plan)

    assert ensured == (plan.path, plan.branch, plan.base_sha, True)
    assert git(plan.path, "status", "--porcelain", "--branch") == f"## {plan.branch}"
    assert sum(1 for _ in plan.path.glob("d*/*.txt")) == 300
    assert len(repository.list_worktrees()) == 1
    assert repository.commit_all(plan.path, "nothing") is None, "no stale index.lock"
