"""What earlier runs have left in a repository and below the worktree root, and whether it is in anybody's way."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from parallel_workers.durations import duration
from parallel_workers.health import (
    Finding,
    HealthFacts,
    LockFile,
    OwnedBranch,
    RegisteredWorktree,
    RepositoryFacts,
    Severity,
    StrayFolder,
    WorkerRun,
)
from parallel_workers.identity import worker_ref
from parallel_workers.lifecycle import WorkerState

STALE_LOCK_SECONDS = 600.0
"""No git command of ours holds a lock for longer; a person's `git commit` may, while its editor is open."""

_NONE_HERE = "is not in a git repository"
_ELSEWHERE = "parallel-workers doctor --repository PATH"


def is_stale(lock: LockFile) -> bool:
    """Whether a lock file is left over for certain: old, and nobody on this or another machine can hold it."""
    return lock.age_seconds >= STALE_LOCK_SECONDS and not lock.held_by and not lock.shared


def is_forgettable(one: RegisteredWorktree, strays: Iterable[StrayFolder]) -> bool:
    """Whether git's record of a worktree can go without loss: its folder is gone, its branch keeps its commits.

    One whose folder is among `strays`, moved by somebody, needs its record to be a worktree again.
    """
    unlocked = one.lock_reason is None or one.half_made
    return unlocked and one.parent_exists and one.branch is not None and not one.exists and not _is_moved(one, strays)


def _is_moved(one: RegisteredWorktree, strays: Iterable[StrayFolder]) -> bool:
    return any(stray.moved_from is not None and stray.moved_from == one.path for stray in strays)


def check_repository(facts: HealthFacts) -> tuple[Finding, ...]:
    """There is a repository to look at, and we can work with it. Without one the checks of its contents say nothing."""
    if facts.repository is not None:
        return (Finding("repository", Severity.OK, str(facts.repository.path)),)
    if _NONE_HERE not in facts.repository_trouble:
        mend = facts.repository_mend or _ELSEWHERE
        return (Finding("repository", Severity.PROBLEM, facts.repository_trouble, mend),)
    what = "this folder is in none, so locks, worktrees and branches were not looked at"
    return (Finding("repository", Severity.OK, what, _ELSEWHERE),)


def check_locks(facts: HealthFacts) -> tuple[Finding, ...]:
    """No lock file is in the way of git, or of us."""
    repository = facts.repository
    if repository is None:
        return ()
    bad = [_judge_lock(lock) for lock in repository.locks]
    held = _judge_own_lock(facts, repository)
    if bad or held:
        return (*bad, *held)
    running = f"; {len(facts.live_workers)} workers are run by a living engine" if facts.live_workers else ""
    return (Finding("locks", Severity.OK, f"none is left over{running}"),)


def _judge_lock(lock: LockFile) -> Finding:
    age = duration(lock.age_seconds)
    remove = f"rm {shlex.quote(str(lock.path))}"
    if is_stale(lock):
        what = f"{lock.path} is {age} old and no git process holds it: git refuses to work there"
        return Finding("locks", Severity.PROBLEM, what, remove, fixable=True)
    if lock.held_by:
        return Finding("locks", Severity.OK, f"{lock.path} is {age} old, maybe held by {', '.join(lock.held_by)}")
    if lock.age_seconds < STALE_LOCK_SECONDS:
        return Finding("locks", Severity.OK, f"{lock.path} is {age} old; not given up yet")
    what = f"{lock.path} is {age} old and on a shared drive: see that no other machine's git holds it"
    return Finding("locks", Severity.WARNING, what, remove)


def _judge_own_lock(facts: HealthFacts, repository: RepositoryFacts) -> tuple[Finding, ...]:
    """Ours is let go of when its holder ends, however it ends; who holds it without an engine hangs."""
    if not repository.lock_held_by:
        return ()
    what = f"our lock on {repository.path} is held by {', '.join(repository.lock_held_by)}"
    if facts.live_workers:
        return (Finding("locks", Severity.OK, what),)
    hangs = f"{what}, and no engine is at work: no worktree can be made until that process ends"
    return (Finding("locks", Severity.WARNING, hangs, f"fuser -v {shlex.quote(str(repository.lock))}"),)


def check_worktrees(facts: HealthFacts) -> tuple[Finding, ...]:
    """Every worktree of ours has its folder, and a worker that needs it."""
    repository = facts.repository
    if repository is None:
        return ()
    runs = None if facts.runs is None else {run.worker: run for run in facts.runs}
    placed = [one for one in repository.worktrees if not _is_moved(one, facts.strays)]  # check_folders tells of others
    found = [finding for one in placed for finding in _judge_worktree(repository.path, one, runs)]
    ours = sum(one.worker is not None for one in repository.worktrees)
    return tuple(found) or (Finding("worktrees", Severity.OK, f"{ours} of ours, none left over"),)


def _judge_worktree(
    repository: Path, one: RegisteredWorktree, runs: dict[str, WorkerRun] | None
) -> tuple[Finding, ...]:
    if not one.exists:
        return (_judge_gone(repository, one),)
    if one.half_made:
        what = f"{one.path} was never finished; running its batch again finishes it"
        return (Finding("worktrees", Severity.WARNING, what, _remove(repository, one.path)),)
    if one.worker is None or one.by_hand or runs is None:
        return ()
    run = runs.get(one.worker)
    if run is None:
        what = f"{one.path} belongs to {one.worker}, which this server does not know: forgotten, or of another server"
        return (Finding("worktrees", Severity.WARNING, what, _remove(repository, one.path)),)
    if run.state is WorkerState.MERGED:
        what = f"{one.path} is left of {one.worker} ({run.task}), which is merged"
        return (Finding("worktrees", Severity.WARNING, what, "parallel-workers cleanup"),)
    return ()


def _judge_gone(repository: Path, one: RegisteredWorktree) -> Finding:
    prune = f"parallel-workers worktree prune --repository {shlex.quote(str(repository))}"
    if is_forgettable(one, ()):
        what = f"the folder {one.path} is gone; git still has it on record, with {one.branch}"
        return Finding("worktrees", Severity.WARNING, what, prune, fixable=True)
    if one.lock_reason is not None and not one.half_made:
        what = f"the folder {one.path} is gone, and its record is locked ({one.lock_reason or 'no reason given'})"
        unlock = f"git -C {shlex.quote(str(repository))} worktree unlock {shlex.quote(str(one.path))}"
        return Finding("worktrees", Severity.WARNING, what, unlock)
    why = "is on no branch" if one.parent_exists else f"may come back: {one.path.parent} is missing as well"
    return Finding("worktrees", Severity.WARNING, f"the folder {one.path} is gone, and what it held {why}", prune)


def _remove(repository: Path, worktree: Path) -> str:
    return (
        f"parallel-workers worktree remove {shlex.quote(worktree.parent.name)} {shlex.quote(worktree.name)} "
        f"--root {shlex.quote(str(worktree.parent.parent))} --repository {shlex.quote(str(repository))}"
    )


def check_folders(facts: HealthFacts) -> tuple[Finding, ...]:
    """Every folder below the worktree root is a worktree."""
    found = [_judge_folder(stray, facts.repository) for stray in facts.strays]
    return tuple(found) or (Finding("folders", Severity.OK, "every one below the worktree root is a worktree"),)


def _judge_folder(stray: StrayFolder, repository: RepositoryFacts | None) -> Finding:
    path = shlex.quote(str(stray.path))
    if stray.removed_from is not None:
        return _judge_half_removed(stray, repository)
    if stray.moved_from is not None and stray.repository is not None:
        what = f"{stray.path} was moved: its repository has it at {stray.moved_from}"
        repair = f"git -C {shlex.quote(str(stray.repository))} worktree repair {path}"
        return Finding("folders", Severity.WARNING, what, repair)
    what = f"{stray.path} is no worktree of any repository; a task that needs this path will refuse it"
    return Finding("folders", Severity.WARNING, what, f"mv {path} {path}.old")


def _judge_half_removed(stray: StrayFolder, repository: RepositoryFacts | None) -> Finding:
    what = f"{stray.path} is what is left of {stray.removed_from}, whose removal was cut short"
    here = repository is not None and any(one.path == stray.removed_from for one in repository.worktrees)
    known = repository.path if repository is not None and here else stray.repository
    if known is not None:
        prune = f"parallel-workers worktree prune --repository {shlex.quote(str(known))}"
        return Finding("folders", Severity.WARNING, f"{what}; what is in it is saved before it goes", prune)
    what += "; its repository is not this one, or has forgotten it: look at what is in it before you delete it"
    return Finding("folders", Severity.WARNING, what, f"ls -lAR {shlex.quote(str(stray.path))}")


def check_branches(facts: HealthFacts) -> tuple[Finding, ...]:
    """Every branch of ours has a worker."""
    repository = facts.repository
    if repository is None:
        return ()
    if facts.runs is None:
        return (Finding("branches", Severity.OK, "not looked at: without a server no worker is known"),)
    known = {run.worker for run in facts.runs}
    used = {one.worker for one in repository.worktrees}
    unknown = {mark for mark in repository.marks if mark not in known and mark not in used}
    branches = {run.branch for run in facts.runs}
    orphans = [
        one for one in repository.branches if one.name not in branches and (one.pushed or unknown & {*one.marks})
    ]
    found = [
        *(_orphan_branch(repository.path, one) for one in orphans),
        *(_orphan_mark(repository.path, mark) for mark in sorted(unknown)),
    ]
    return tuple(found) or (Finding("branches", Severity.OK, "every one of ours has a worker"),)


def _orphan_branch(repository: Path, one: OwnedBranch) -> Finding:
    what = f"{one.name} looks like ours and no worker of this server has it; git deletes it only when it is merged"
    # --delete refuses a branch with commits that are nowhere else.
    return _git(repository, what, ("branch", "--delete", one.name))


def _orphan_mark(repository: Path, mark: str) -> Finding:
    what = f"{mark} has a mark here and no worker of this server is it: forgotten, or of another server"
    return _git(repository, what, ("update-ref", "-d", worker_ref(mark)))


def _git(repository: Path, what: str, command: Iterable[str]) -> Finding:
    return Finding("branches", Severity.WARNING, what, shlex.join(("git", "-C", str(repository), *command)))
