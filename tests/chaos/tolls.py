"""What a kill has cost, counted on git, the forge, Prefect and the process table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.chaos.scenes import PULLS, Scene, git
from tests.e2e.product import Ended

_AT_WORK = {"RUNNING", "PENDING", "SCHEDULED", "CANCELLING"}
_MERGE = re.compile(r"Merge pull request #(\d+)")


class Toll(NamedTuple):
    """Per task: pull requests and merges (the worst of all tasks). In all: what was lost, and what is left."""

    pull_requests: int
    merges: int
    commits_lost: int
    files_lost: int
    processes_left: int
    refs_left: int
    worktrees_left: int
    runs_left: int
    """Flow runs that the server believes to be at work."""
    agent_runs: int
    """The most that any task's agent ran."""
    workers: tuple[str, ...]
    exit_code: int


class RunState(NamedTuple):
    """How a flow run of the scene stands on the server. `is_worker`: it is one of a task, not of the batch."""

    name: str
    kind: str
    is_worker: bool


def count_toll(scene: Scene, done: Ended, runs: Sequence[RunState]) -> Toll:
    """Count after the run that was to finish it all; `runs` are all flow runs of the scene."""
    opened = Counter(scene.heads(scene.remote))
    subjects = git(scene.remote, "log", "--format=%s", "--first-parent", "main").splitlines()
    merged = Counter(found[1] for line in subjects if (found := _MERGE.match(line)))
    kept = [scene.remote, scene.repository]
    return Toll(
        pull_requests=_worst(opened, scene),
        merges=_worst(merged, scene),
        commits_lost=sum(not any(_has_commit(where, sha) for where in kept) for sha in scene.noted("commit")),
        files_lost=len(set(scene.noted("file")) - _saved_files(scene)),
        processes_left=len(find_processes(scene)),
        refs_left=len(_refs_left(scene)),
        runs_left=sum(run.kind in _AT_WORK for run in runs),
        worktrees_left=len(git(scene.repository, "worktree", "list").splitlines()) - 1,
        agent_runs=max(Counter(run.split()[0] for run in scene.noted("run")).values(), default=0),
        workers=tuple(run.name for run in runs if run.is_worker),
        exit_code=done.exit_code,
    )


def count_files_lost(scene: Scene, restored: Sequence[Path]) -> int:
    """Files of which neither the base nor any of the restored worktrees has the bytes, in its folder or its index."""
    saved = {line.split()[2] for line in git(scene.remote, "ls-tree", "-r", "main").splitlines()}
    for place in restored:
        saved |= {line.split()[1] for line in git(place, "ls-files", "--stage").splitlines()}
        files = (file for file in place.rglob("*") if file.is_file() and file.name != ".git")
        saved |= {git(place, "hash-object", "--no-filters", str(file)) for file in files}
    return len(set(scene.noted("file")) - saved)


def what_is_wrong(toll: Toll, scene: Scene, most_runs: int) -> list[str]:
    """The invariants that do not hold, in words; none when nothing was lost or done twice."""
    expected = toll._replace(
        pull_requests=1,
        merges=1,
        commits_lost=0,
        files_lost=0,
        processes_left=0,
        refs_left=0,
        worktrees_left=0,
        runs_left=0,
        agent_runs=min(toll.agent_runs, most_runs),
        workers=("MERGED",) * len(scene.tasks),
        exit_code=0,
    )
    return [
        f"{name}: {is_now} and not {wanted}"
        for name, is_now, wanted in zip(toll._fields, toll, expected, strict=True)
        if is_now != wanted
    ]


def find_processes(scene: Scene) -> list[psutil.Process]:
    """Living processes that have to do with the scene: by their folder, arguments or environment."""
    found, mark = [], str(scene.repository)
    for each in psutil.process_iter():
        try:
            known = [each.cwd(), *each.cmdline(), *each.environ().values()]
            if each.status() != psutil.STATUS_ZOMBIE and any(mark in text for text in known):
                found.append(each)
        except psutil.Error:
            continue
    return found


def _worst(counted: Counter[str], scene: Scene) -> int:
    """The count that is farthest from the one wanted, over all tasks."""
    counts = [*counted.values(), *[0] * (len(scene.tasks) - len(counted))]
    return max(counts, key=lambda count: abs(count - 1))


def _has_commit(repository: Path, sha: str) -> bool:
    """Whether the base or a rescue ref keeps the commit."""
    lines = git(repository, "rev-list", "main", "--glob=refs/parallel-workers/rescue").splitlines()
    return sha in lines


def _saved_files(scene: Scene) -> set[str]:
    """Blobs of the base and of what was rescued."""
    saved = set()
    for where in (scene.remote, scene.repository):
        rescued = git(where, "for-each-ref", "--format=%(refname)", "refs/parallel-workers/rescue").splitlines()
        for ref in ("main", *rescued):
            listed = git(where, "ls-tree", "-r", ref)
            saved |= {line.split()[2] for line in listed.splitlines()}
    return saved


def _refs_left(scene: Scene) -> list[str]:
    """Branches and marks of workers that nobody needs any more."""
    refs = [line for where in (scene.remote, scene.repository) for line in _refs(where)]
    kept = ("refs/heads/main", "refs/remotes/", "refs/pull/", PULLS, "refs/parallel-workers/rescue/")
    return [ref for ref in refs if not ref.startswith(kept)]


def _refs(where: Path) -> list[str]:
    return git(where, "for-each-ref", "--format=%(refname)").splitlines()
