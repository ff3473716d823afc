"""Gathers what `doctor` judges. Starts nothing, changes nothing, and imports Prefect only when a server answers."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

from deployments.server_facts import look_at_database, look_at_server
from parallel_workers.adapters.agents.invocation import find_program
from parallel_workers.adapters.agents.orphans import find_agents
from parallel_workers.adapters.git.command import OLDEST_GIT, run_git
from parallel_workers.adapters.git.leftovers import Leftovers, find_strays
from parallel_workers.adapters.git.version import is_too_old
from parallel_workers.adapters.places import look_at_place
from parallel_workers.cli.server_commands import find_live_workers
from parallel_workers.decisions.health_of_host import WORKTREE_ROOT
from parallel_workers.errors import AgentNotFoundError, InvalidSpecError, ServerError, UsageError
from parallel_workers.health import (
    AgentProcesses,
    AgentProgram,
    BrokenRun,
    DeadBatch,
    HealthFacts,
    Place,
    PolicyFacts,
    ServerFacts,
    WorkerRun,
)
from parallel_workers.locations import DataFolder
from parallel_workers.profiles import COMMAND_VARIABLE, resolve_profile
from parallel_workers.settings import SETTINGS_FILE, RepositorySettings, apply_settings, parse_settings
from parallel_workers.spec import BatchSpec

ROOT_VARIABLE = "PARALLEL_WORKERS_WORKTREE_ROOT"
_LOGS = ("agent.log", "agent.log.last", "steps.log")


class Subject(NamedTuple):
    """What is looked at. `batch` and `spec` are None without a batch file, `leftovers` without a repository."""

    data: DataFolder
    leftovers: Leftovers | None
    repository_trouble: str
    repository_mend: str
    batch: BatchSpec | None
    spec: Path | None


class _Told(NamedTuple):
    """What the Prefect server told; `runs` is None when it was not asked."""

    server: ServerFacts
    policy: PolicyFacts
    root: str = ""
    runs: tuple[WorkerRun, ...] | None = None
    broken: tuple[BrokenRun, ...] = ()
    dead_batches: tuple[DeadBatch, ...] = ()


def gather(subject: Subject) -> HealthFacts:
    """Everything at one look."""
    data = subject.data
    version = _git_version()
    settings = _settings_of(subject)
    live = find_live_workers(data.locks)
    server = look_at_server(data)
    told = _ask_server(server, data, live, settings.worktree_policy)
    root = Path(os.environ.get(ROOT_VARIABLE) or told.root or "~/.worktrees").expanduser()
    agents = find_agents(data.root / "runs")
    # An engine may begin or end in between: who is alive at one of two looks was not dead.
    live = tuple(dict.fromkeys((*live, *find_live_workers(data.locks))))
    return HealthFacts(
        python=sys.executable,
        git_version=version,
        git_needed=OLDEST_GIT,
        git_too_old=is_too_old(version),
        agents=_programs(subject, settings),
        server=told.server,
        database=look_at_database(data, running=server.pid is not None or server.ours),
        policy=told.policy,
        places=_places(data, root, told.server),
        strays=find_strays(root),
        repository=subject.leftovers.look() if subject.leftovers else None,
        repository_trouble=subject.repository_trouble,
        repository_mend=subject.repository_mend,
        agent_processes=tuple(
            AgentProcesses(worker, tuple(each.pid for each in processes), worker in live)
            for worker, processes in agents.items()
        ),
        live_workers=live,
        runs=None if told.runs is None else tuple(run._replace(engine_alive=run.worker in live) for run in told.runs),
        broken=told.broken,
        dead_batches=told.dead_batches,
    )


def _git_version() -> str:
    try:
        return run_git(Path("/"), "--version")
    except UsageError:
        return ""


def _settings_of(subject: Subject) -> RepositorySettings:
    """As HEAD has them; nothing is fetched. Settings that do not hold count as none here: `validate` tells of them."""
    if subject.leftovers is None:
        return RepositorySettings()
    git = subject.leftovers.git
    try:
        return parse_settings(git.read_base_file("HEAD", SETTINGS_FILE) or "", SETTINGS_FILE)
    except InvalidSpecError:
        return RepositorySettings()


def _programs(subject: Subject, settings: RepositorySettings) -> tuple[AgentProgram, ...]:
    """Of the agents that the batch file uses; without one, of those that the settings declare or the environment."""
    where = subject.leftovers.git.path if subject.leftovers else Path.cwd()
    if subject.batch is not None:
        declared = apply_settings(subject.batch, settings).agents
        names, file = dict.fromkeys(task.agent for task in subject.batch.tasks), str(subject.spec)
    else:
        declared, file = settings.agents, str(where / SETTINGS_FILE)
        names = dict.fromkeys(name for name, profile in declared.items() if profile.command)
        if os.environ.get(COMMAND_VARIABLE):
            names["code-author"] = None
    found = []
    for name in names:
        try:
            program = resolve_profile(name, declared).command[0]
        except UsageError as error:
            found.append(AgentProgram(name, "", file, str(error).splitlines()[0], error.mend))
            continue
        found.append(AgentProgram(name, program, file, _trouble_with(program, where)))
    return tuple(found)


def _trouble_with(program: str, where: Path) -> str:
    try:
        find_program(program, os.environ, where)
    except AgentNotFoundError as error:
        return str(error)
    return ""


def _places(data: DataFolder, root: Path, server: ServerFacts) -> tuple[Place, ...]:
    home = Path.home() / ".prefect" if server.configured else data.root / "prefect"
    prefect_home = Path(os.environ.get("PREFECT_HOME") or home).expanduser()
    named = ((WORKTREE_ROOT, root), ("data folder", data.root), ("Prefect home", prefect_home))
    return tuple(look_at_place(name, path) for name, path in named)


def _ask_server(server: ServerFacts, data: DataFolder, live: tuple[str, ...], policy: str | None) -> _Told:
    unasked = _Told(server, PolicyFacts(policy or "default"))
    if not server.api_url or server.trouble:
        return unasked
    from parallel_workers.cli.server_access import find_server

    try:
        if find_server(preload="flows.worker_health") is None:
            return unasked
        return asyncio.run(_read(server, data, live, policy))
    except ServerError as error:
        return unasked._replace(server=server._replace(trouble=str(error)))


async def _read(server: ServerFacts, data: DataFolder, live: tuple[str, ...], policy: str | None) -> _Told:
    import httpx
    from prefect.exceptions import PrefectException

    from flows.worker_health import Here, read_dead_batches, read_policy, read_workers

    folders = list((data.root / "runs").glob("worker-*"))
    known = {folder.name for folder in folders} if server.local else set()
    quiet = {folder.name: _quiet_seconds(folder) for folder in folders if folder.name in live}
    try:
        found, root = await read_policy(policy)
        runs, broken = await read_workers(Here(live, server.ours, known, quiet))
        dead = await read_dead_batches()
    except (httpx.HTTPError, PrefectException) as error:
        raise ServerError(f"it does not answer as it should: {str(error) or type(error).__name__}") from error
    return _Told(server, found, root, runs, broken, dead)


def _quiet_seconds(folder: Path) -> float:
    """Since an agent or step has last written something, or was begun."""
    written = [file.stat().st_mtime for name in (*_LOGS, "prompt.md") if (file := folder / name).is_file()]
    return max(0.0, time.time() - max(written)) if written else 0.0
