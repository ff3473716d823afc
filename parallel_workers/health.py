"""Values of `doctor`: what was found out about an installation, what it means, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from parallel_workers.lifecycle import WorkerState


class Severity(StrEnum):
    """`problem`: something does not work, or will not go on by itself. `warning`: look at it when there is time."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """What one check says. `mend` is the exact command that mends it; `fixable`: `doctor --fix` does it by itself."""

    check: str
    severity: Severity
    what: str
    mend: str = ""
    fixable: bool = False


class AgentProgram(NamedTuple):
    """The program of an agent profile. `trouble` says why it cannot be started; `declared_in` where to change it.

    `mend` is the command that mends it where that is not to change the file.
    """

    agent: str
    program: str
    declared_in: str
    trouble: str = ""
    mend: str = ""


class DatabaseFacts(NamedTuple):
    """The embedded server's database file. `trouble` is what SQLite says of a damaged one."""

    path: Path
    size: int
    trouble: str = ""


class ServerFacts(NamedTuple):
    """The Prefect server. `api_url` is '' when there is none to ask; `trouble` says why it does not answer.

    `configured`: named by the user; `ours`: with our transactions, whoever started it. `pid` is None when it is not on
    record here. `local`: it listens on this machine only, so that nobody else's engines use it.
    """

    api_url: str = ""
    configured: bool = False
    ours: bool = False
    local: bool = True
    pid: int | None = None
    version: str = ""
    client_version: str = ""
    trouble: str = ""


class PolicyFacts(NamedTuple):
    """The WorktreePolicy block that counts here. Without a server, or when none is saved, the defaults do."""

    name: str
    asked: bool = False
    trouble: str = ""


class Place(NamedTuple):
    """A folder that we write to, and its file system. Bytes; `clone` is a checkout or repository that it lies in."""

    name: str
    path: Path
    writable: bool
    free: int
    total: int
    clone: Path | None = None


class LockFile(NamedTuple):
    """A lock file of git. `held_by` names living processes that may hold it; `shared`: other machines may, too."""

    path: Path
    age_seconds: float
    held_by: tuple[str, ...] = ()
    shared: bool = False


class RegisteredWorktree(NamedTuple):
    """A linked worktree on record. `parent_exists`: the folder around it is there, so no drive is missing.

    `by_hand`: made with `worktree create`, so no flow run stands for it.
    """

    path: Path
    worker: str | None
    branch: str | None
    exists: bool
    parent_exists: bool
    lock_reason: str | None = None
    half_made: bool = False
    by_hand: bool = False


class StrayFolder(NamedTuple):
    """A folder below the worktree root that no repository knows. `moved_from`: its repository has it elsewhere.

    `removed_from`: it is what is left of the worktree there, whose removal was cut short.
    """

    path: Path
    repository: Path | None = None
    moved_from: Path | None = None
    removed_from: Path | None = None


class OwnedBranch(NamedTuple):
    """A branch `feature/…` without a worktree that looks like ours: pushed by us, or from a base that `marks` name."""

    name: str
    marks: tuple[str, ...]
    pushed: bool


class RepositoryFacts(NamedTuple):
    """What a repository holds of ours. `lock` is our own lock file; `marks` are ids of workers with a ref in it."""

    path: Path
    lock: Path
    locks: tuple[LockFile, ...] = ()
    lock_held_by: tuple[str, ...] = ()
    worktrees: tuple[RegisteredWorktree, ...] = ()
    branches: tuple[OwnedBranch, ...] = ()
    marks: tuple[str, ...] = ()


class AgentProcesses(NamedTuple):
    """Living processes that carry a worker's tag and were started from this data folder."""

    worker: str
    pids: tuple[int, ...]
    engine_alive: bool


class WorkerRun(NamedTuple):
    """A worker's flow run. Seconds; `engine_alive`: a living engine on this machine runs it.

    `here`: nobody but this machine's engines can run it. `quiet_seconds`: since the last output of its agent;
    `heard_seconds`: since the last heartbeat, for runs of a deployment; None: not known.
    """

    worker: str
    task: str
    run_id: str
    state: WorkerState
    prefect_type: str
    prefect_state: str
    branch: str
    worktree: str
    deployed: bool
    here: bool
    engine_alive: bool
    changed_seconds: float
    stall_seconds: float
    quiet_seconds: float | None = None
    heard_seconds: float | None = None
    suspended_by_automation: bool = False


class BrokenRun(NamedTuple):
    """A flow run whose labels or parameters cannot be read. `worker` is '' when not even that is known."""

    run_id: str
    worker: str
    trouble: str
    ended: bool


class DeadBatch(NamedTuple):
    """A batch's flow run that counts as going on, for so many seconds, and whose engine on this machine is dead."""

    name: str
    run_id: str
    prefect_state: str
    changed_seconds: float


class HealthFacts(NamedTuple):
    """Everything that was found out at one look. `runs` is None when no server could be asked.

    `repository_trouble` says why the folder that `doctor` was called in is in no repository that we can work with,
    and `repository_mend` the command that mends that, where one can.
    `python` is the interpreter that has Prefect and us, for commands that need it.
    """

    python: str
    git_version: str
    git_needed: str
    git_too_old: bool
    agents: tuple[AgentProgram, ...]
    server: ServerFacts
    database: DatabaseFacts | None
    policy: PolicyFacts
    places: tuple[Place, ...]
    strays: tuple[StrayFolder, ...]
    repository: RepositoryFacts | None
    repository_trouble: str
    repository_mend: str
    agent_processes: tuple[AgentProcesses, ...]
    live_workers: tuple[str, ...]
    runs: tuple[WorkerRun, ...] | None
    broken: tuple[BrokenRun, ...] = ()
    dead_batches: tuple[DeadBatch, ...] = ()


class RemoveLock(NamedTuple):
    """Remove a lock file that nobody holds."""

    path: Path


class ForgetWorktree(NamedTuple):
    """Drop git's record of a worktree whose folder is gone."""

    path: Path


class EndAgents(NamedTuple):
    """End what a dead engine's agent has left running; its worktree is not touched."""

    worker: str


class PutBack(NamedTuple):
    """Put a run that a dead engine left behind back to a state in which it can run."""

    worker: str
    run_id: str


class EndBatch(NamedTuple):
    """Tell the server that a batch's run, whose engine is dead, has ended; the batch can be run again."""

    name: str
    run_id: str


Mend = RemoveLock | ForgetWorktree | EndAgents | PutBack | EndBatch


class Mended(NamedTuple):
    """What came of one mend. `what` tells it in a sentence, done or not."""

    what: str
    done: bool
