"""Facts of an installation in which all is well; tests change one thing."""

from __future__ import annotations

from pathlib import Path

from parallel_workers.health import (
    DatabaseFacts,
    HealthFacts,
    LockFile,
    Place,
    PolicyFacts,
    RegisteredWorktree,
    RepositoryFacts,
    ServerFacts,
    WorkerRun,
)
from parallel_workers.lifecycle import WorkerState

GIGA = 1 << 30

RUN = WorkerRun(
    worker="worker-1",
    task="T-1",
    run_id="run-1",
    state=WorkerState.WORKING,
    prefect_type="RUNNING",
    prefect_state="WORKING",
    branch="feature/t-1",
    worktree="/trees/p/t-1",
    deployed=False,
    here=True,
    engine_alive=True,
    changed_seconds=4000.0,
    stall_seconds=1800.0,
    quiet_seconds=10.0,
)
WORKTREE = RegisteredWorktree(Path("/trees/p/t-1"), "worker-1", "feature/t-1", exists=True, parent_exists=True)
LOCK = LockFile(Path("/repo/.git/index.lock"), 4000.0)
REPOSITORY = RepositoryFacts(
    Path("/repo"), Path("/repo/.git/parallel-workers.lock"), worktrees=(WORKTREE,), marks=("worker-1",)
)
SERVER = ServerFacts("http://127.0.0.1:1/api", ours=True, pid=1, version="3.8.8", client_version="3.8.8")
ROOT = Place("worktree root", Path("/trees"), writable=True, free=9 * GIGA, total=10 * GIGA)
DATA = Place("data folder", Path("/data"), writable=True, free=9 * GIGA, total=10 * GIGA)
HEALTHY = HealthFacts(
    python="/venv/bin/python",
    git_version="git version 2.39.5",
    git_needed="2.39",
    git_too_old=False,
    agents=(),
    server=SERVER,
    database=DatabaseFacts(Path("/data/server/prefect.db"), 5000),
    policy=PolicyFacts("default", asked=True),
    places=(ROOT, DATA),
    strays=(),
    repository=REPOSITORY,
    repository_trouble="",
    repository_mend="",
    agent_processes=(),
    live_workers=("worker-1",),
    runs=(RUN,),
)


def with_run(**changes: object) -> HealthFacts:
    """All is well but for the one worker's run."""
    return HEALTHY._replace(runs=(RUN._replace(**changes),))  # type: ignore[arg-type]


def with_repository(**changes: object) -> HealthFacts:
    """All is well but for the repository."""
    return HEALTHY._replace(repository=REPOSITORY._replace(**changes))  # type: ignore[arg-type]


def with_worktree(**changes: object) -> HealthFacts:
    """All is well but for the one worktree."""
    return with_repository(worktrees=(WORKTREE._replace(**changes),))  # type: ignore[arg-type]


def with_lock(**changes: object) -> HealthFacts:
    """All is well but for a lock file, an old one that nobody holds."""
    return with_repository(locks=(LOCK._replace(**changes),))  # type: ignore[arg-type]


def with_root(**changes: object) -> HealthFacts:
    """All is well but for the worktree root."""
    return HEALTHY._replace(places=(ROOT._replace(**changes), DATA))  # type: ignore[arg-type]


def with_server(**changes: object) -> HealthFacts:
    """All is well but for the server."""
    return HEALTHY._replace(server=SERVER._replace(**changes))  # type: ignore[arg-type]
