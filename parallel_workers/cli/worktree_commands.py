"""`worktree`: linked worktrees made and removed by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parallel_workers.cli.output import Command, json_option, print_fields, print_json, print_table, say
from parallel_workers.cli.repository_option import repository_option
from parallel_workers.cli.worker_keys import worktree_keys
from parallel_workers.errors import ParallelWorkersError, UsageError
from parallel_workers.identity import branch_name, slugify, worker_id, worker_ref, worktree_path
from parallel_workers.rescues import way_back

if TYPE_CHECKING:
    from parallel_workers.adapters.git.repository import GitPythonRepository
    from parallel_workers.worktrees import Worktree

_BATCH = "worktree"  # takes the batch's place in the worker id of a worktree that no batch made


def root_option(command: Command) -> Command:
    """`--root PATH`, passed on as `root`."""
    return click.option(
        "--root",
        envvar="PARALLEL_WORKERS_WORKTREE_ROOT",
        type=click.Path(path_type=Path),
        help="Folder that holds all worktrees. Default: that of the WorktreePolicy block, else ~/.worktrees.",
    )(command)


@click.group()
def worktree() -> None:
    """Make, list and remove worktrees.

    The worktree of a task is <root>/<project>/<task id>, on the branch feature/<task id>.
    """


@worktree.command("create")
@click.argument("project")
@click.argument("task_id")
@click.argument("base")
@repository_option
@root_option
@json_option
def create(project: str, task_id: str, base: str, repository: Path, root: Path | None, *, as_json: bool) -> None:
    """Make the worktree of a task from the base branch BASE and print its path.

    One that exists already and was made for the same task is answered again.
    """
    from parallel_workers.worktrees import WorktreePlan

    git, path = _open(repository), _path(root, project, task_id)
    base_sha = git.fetch_base(base)
    worker = worker_id(git.identity, _BATCH, task_id)
    plan = WorktreePlan(worker, branch_name(task_id), base, base_sha, path, keep_ignored=_keep_ignored(git, base_sha))
    ensured = git.ensure_worktree(plan)
    if as_json:
        begun = {"base_branch": base, "base_sha": ensured.base_sha, "adopted": ensured.adopted}
        print_json({**worktree_keys(_find(git, path)), "task_id": task_id, "project": project, **begun})
    else:
        say(f"{'Found' if ensured.adopted else 'Made'} {ensured.branch} from {base} at {ensured.base_sha[:9]}")
        click.echo(ensured.path)


@worktree.command("list")
@click.argument("project")
@repository_option
@root_option
@json_option
def list_worktrees(project: str, repository: Path, root: Path | None, *, as_json: bool) -> None:
    """List the worktrees of a project."""
    folder = _project_folder(root, project)
    found = [one for one in _open(repository).list_worktrees() if one.path.is_relative_to(folder)]
    if as_json:
        print_json([{**worktree_keys(one), "project": project} for one in found])
    else:
        rows = ((one.path.name, one.branch or "", one.head_sha[:9], _note(one), str(one.path)) for one in found)
        print_table(("Task", "Branch", "Head", "Note", "Path"), rows, f"No worktrees of {project} in {folder}.")


@worktree.command("status")
@click.argument("project")
@click.argument("task_id")
@repository_option
@root_option
@json_option
def status(project: str, task_id: str, repository: Path, root: Path | None, *, as_json: bool) -> None:
    """Show what the worktree of a task holds beyond its base."""
    git, path = _open(repository), _path(root, project, task_id)
    one = _find(git, path)
    found = git.get_status(path, _base_sha(git, one))
    if as_json:
        held = {**found._asdict(), "clean": found.clean}
        del held["path"]
        print_json({**worktree_keys(one), **held, "task_id": task_id, "project": project})
        return
    changes = f"{len(found.changed)} changed, {len(found.untracked)} untracked"
    print_fields(
        {
            "path": found.path,
            "branch": found.branch or "(detached)",
            "head": found.head_sha,
            "commits ahead": found.commits_ahead,
            "uncommitted": "nothing" if found.clean else changes,
        }
    )
    for mark, names in (("M", found.changed), ("?", found.untracked)):
        for name in names:
            click.echo(f"  {mark} {name}")


@worktree.command("remove")
@click.argument("project")
@click.argument("task_id")
@click.option("--force", is_flag=True, help="Even with work in it; that is saved to a rescue ref first.")
@repository_option
@root_option
@json_option
def remove(project: str, task_id: str, repository: Path, root: Path | None, *, force: bool, as_json: bool) -> None:
    """Remove the worktree of a task; its branch stays."""
    git, path = _open(repository), _path(root, project, task_id)
    one = _find(git, path)
    with _kept_from_engines(one):
        rescue_ref = git.remove_worktree(path, force=force)
    if as_json:
        print_json({**worktree_keys(one), "task_id": task_id, "project": project, "rescue_ref": rescue_ref})
        return
    say(f"Removed {path}; the branch {one.branch} is kept." if one.branch else f"Removed {path}.")
    if rescue_ref:
        say(f"Its work is {way_back(rescue_ref, repository.resolve(), path)}")
        click.echo(rescue_ref)


@worktree.command("prune")
@repository_option
@json_option
def prune(repository: Path, *, as_json: bool) -> None:
    """Forget worktrees whose folder is gone."""
    forgotten = _open(repository).prune()
    if as_json:
        rescued = {str(one.path): one.rescue_ref for one in forgotten if one.rescue_ref}
        print_json({"pruned": [one.path for one in forgotten], "rescue_refs": rescued})
        return
    for one in forgotten:
        click.echo(one.path)
        if one.rescue_ref:
            say(f"What git still knew of it is {way_back(one.rescue_ref, repository.resolve(), one.path)}")
    say(f"Forgot {len(forgotten)}." if forgotten else "Nothing to forget.")


def _open(repository: Path) -> GitPythonRepository:
    from parallel_workers.adapters.git.repository import open_repository

    return open_repository(repository)


@contextmanager
def _kept_from_engines(one: Worktree) -> Iterator[None]:
    """No engine begins the worktree's worker meanwhile; raises ParallelWorkersError when one runs it."""
    if one.worker is None:
        yield
        return
    from filelock import Timeout

    from flows.worker_lock import worker_lock

    lock = worker_lock(one.worker)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ParallelWorkersError(
            f"{one.path} is kept: an engine runs its worker {one.worker}; "
            f"end that first: parallel-workers terminate {one.worker}"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _keep_ignored(git: GitPythonRepository, base_sha: str) -> tuple[str, ...]:
    """What the repository's settings say on its base branch."""
    from parallel_workers.settings import SETTINGS_FILE, parse_settings

    text = git.read_base_file(base_sha, SETTINGS_FILE)
    return parse_settings(text, SETTINGS_FILE).keep_ignored if text is not None else ()


def _path(root: Path | None, project: str, task_id: str) -> Path:
    if not slugify(task_id):
        raise UsageError(f"'{task_id}' has no letter or digit that could name a folder or branch")
    return _project_folder(root, project) / worktree_path(Path(), project, task_id).name


def _project_folder(root: Path | None, project: str) -> Path:
    if not slugify(project):
        raise UsageError(f"'{project}' has no letter or digit that could name a folder")
    return (root or _configured_root()).expanduser().resolve() / slugify(project)


def _configured_root() -> Path:
    """The default block's root when a server is there to ask, else the block's default; starts no server."""
    from deployments.embedded_server import find_configured_server, find_server

    if find_configured_server() or find_server():
        return _root_of_block()
    return Path.home() / ".worktrees"


def _root_of_block() -> Path:
    import asyncio

    from parallel_workers.cli.server_access import find_server

    find_server(preload="blocks.worktree_policy")
    from blocks.worktree_policy import WorktreePolicy

    return asyncio.run(WorktreePolicy.load_or_default(None)).resolved_root()


def _find(git: GitPythonRepository, path: Path) -> Worktree:
    for one in git.list_worktrees():
        if one.path == path:
            return one
    raise ParallelWorkersError(f"no worktree at {path}{os.linesep}see: parallel-workers worktree list PROJECT")


def _base_sha(git: GitPythonRepository, one: Worktree) -> str:
    """Where its branch began, as the mark of its worker says; a worktree that is not ours counts from its head."""
    from parallel_workers.adapters.git.layout import read_ref

    began = read_ref(git.common_dir, worker_ref(one.worker)) if one.worker else None
    return began or one.head_sha


def _note(one: Worktree) -> str:
    notes = (("locked", one.locked), ("folder gone", one.prunable))
    return ", ".join(note for note, holds in notes if holds)
