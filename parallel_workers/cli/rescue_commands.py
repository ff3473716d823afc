"""`rescue`: what was saved before something was removed, and how it comes back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parallel_workers.cli.output import json_option, print_fields, print_json, print_table, say
from parallel_workers.cli.repository_option import repository_option
from parallel_workers.cli.terminal_text import one_line
from parallel_workers.durations import duration
from parallel_workers.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from parallel_workers.adapters.git.repository import GitPythonRepository
    from parallel_workers.rescues import Rescue

_MARKS = {"staged": "S", "changed": "M", "conflicted": "U", "untracked": "?", "ignored": "!"}
_GONE = "000000"


def _as_seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """`90s`, `12h`, `30d`, or seconds; click's usage error when it is no duration."""
    if value is None:
        return None
    from pydantic_core import PydanticCustomError

    from parallel_workers.spec_values import parse_duration

    try:
        return float(str(parse_duration(value)))
    except PydanticCustomError as error:
        raise click.BadParameter(f"{value!r} is no duration; write for example 12h or 30d", ctx, param) from error


@click.group()
def rescue() -> None:
    """List and bring back what removals have saved.

    Whenever a worktree or branch is removed, what exists only there is saved first, under
    refs/parallel-workers/rescue/. It stays until you drop it. NAME is <worker>/<time> as `list` shows it, or the
    beginning of it.
    """


@rescue.command("list")
@click.option("--worker", help="Only what was saved of this worker.")
@click.option("--older-than", callback=_as_seconds, help="Only what was saved longer ago, such as 30d.")
@repository_option
@json_option
def list_rescues(worker: str | None, older_than: float | None, repository: Path, *, as_json: bool) -> None:
    """List what was saved, newest first."""
    found = [one for one in _open(repository).list_rescues() if worker in {None, one.worker}]
    found = [one for one in found if older_than is None or _age(one) > older_than]
    if as_json:
        print_json([_keys(one) for one in found])
        return
    rows = ((one.name, duration(_age(one)), one.branch or "", ", ".join(one.what)) for one in found)
    print_table(("Rescue", "Age", "Branch", "Saved"), rows, "Nothing is rescued.")


@rescue.command("show")
@click.argument("name")
@repository_option
@json_option
def show(name: str, repository: Path, *, as_json: bool) -> None:
    """Show what was saved: files, stashes, commits, and the commands that bring it back."""
    from parallel_workers.rescues import restore_command

    git = _open(repository)
    one = git.find_rescue(name)
    if as_json:
        print_json({**_keys(one), **_details(one)})
        return
    operation = one.operation
    print_fields(
        {
            "rescue": one.name,
            "age": duration(_age(one)),
            "worker": one.worker,
            "branch": one.branch,
            "worktree": one.worktree,
            "head": one.head_sha,
            "saved": ", ".join(one.what),
            "stopped": operation.name if operation else "",
            "head before it": operation.original_head if operation else "",
            "ref": one.ref,
        }
    )
    for file in one.files:
        mark = "D" if file.mode == _GONE else _MARKS.get(file.kind, " ")
        click.echo(f"  {mark} {one_line(file.path)}")
    for stash in one.stashes:
        click.echo(f"  stash {stash.sha[:12]} {one_line(stash.message)}")
    say(f"Bring it back: {restore_command(one.name, git.path, one.worktree)}")
    if operation and operation.original_head:
        say(f"The branch as it was before the {operation.name}: git branch NAME {operation.original_head}")
    for ref in one.own_refs:
        say(f"What {one_line(ref.name)} was at: git branch NAME {ref.sha}")
    for stash in one.stashes:
        say(f"A stash, in any worktree: git stash apply {stash.sha}")


@rescue.command("restore")
@click.argument("name")
@click.option("--branch", help="The branch to make. Default: rescued/<worker>-<time>.")
@click.option(
    "--worktree",
    type=click.Path(path_type=Path),
    help="Make a worktree at this path too, with what was uncommitted uncommitted again.",
)
@repository_option
@json_option
def restore(name: str, branch: str | None, worktree: Path | None, repository: Path, *, as_json: bool) -> None:
    """Bring back what was saved, as a new branch.

    Without --worktree what was not committed becomes one commit on it. Nothing that exists is overwritten: a branch or
    folder of that name is left as it is, and the exit code is 1. The rescue stays until you drop it.
    """
    from shlex import quote

    from parallel_workers.rescues import default_branch

    git = _open(repository)
    one = git.find_rescue(name)
    restored = git.restore_rescue(one, branch or default_branch(one.name), worktree)
    if as_json:
        told = {"branch": restored.branch, "head_sha": restored.head_sha, "worktree": restored.worktree}
        told |= {"under_way": restored.under_way or None}
        print_json({"rescue": one.name, "ref": one.ref, **told})
        return
    if restored.under_way:
        say(f"The {restored.under_way} is stopped there as it was: git -C {quote(str(restored.worktree))} status")
    say(f"Restored {', '.join(one.what)} as branch {restored.branch}. The rescue is kept; drop it when you are done:")
    say(f"parallel-workers rescue drop {one.name} --repository {git.path}")
    click.echo(restored.worktree or restored.branch)


@rescue.command("drop")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--older-than", callback=_as_seconds, help="All that was saved longer ago, such as 30d.")
@repository_option
@json_option
def drop(names: tuple[str, ...], older_than: float | None, repository: Path, *, as_json: bool) -> None:
    """Forget what was saved, by name or by age.

    git deletes the content at its next collection of garbage, not before two weeks by default; until then the command
    that is printed takes the drop back.
    """
    if bool(names) == (older_than is not None):
        raise UsageError("say what to drop: NAME as in `parallel-workers rescue list`, or --older-than 30d")
    git = _open(repository)
    if older_than is None:
        dropped = list(dict.fromkeys(git.find_rescue(name) for name in names))
    else:
        dropped = [one for one in git.list_rescues() if _age(one) > older_than]
    git.drop_rescues(dropped)
    if as_json:
        print_json({"dropped": [_keys(one) for one in dropped]})
        return
    _say_dropped(git, dropped)


def _say_dropped(git: GitPythonRepository, dropped: Sequence[Rescue]) -> None:
    from shlex import quote

    for one in dropped:
        click.echo(one.name)
        say(f"Take it back: git -C {quote(str(git.path))} update-ref {one.ref} {one.commit}")
    say(f"Dropped {len(dropped)}." if dropped else "Nothing to drop.")


def _open(repository: Path) -> GitPythonRepository:
    from parallel_workers.adapters.git.repository import open_repository

    return open_repository(repository)


def _age(one: Rescue) -> float:
    return max(0.0, (datetime.now(UTC) - one.saved_at).total_seconds())


def _keys(one: Rescue) -> dict[str, object]:
    return {
        "rescue": one.name,
        "ref": one.ref,
        "commit": one.commit,
        "worker_id": one.worker,
        "branch": one.branch,
        "worktree": one.worktree,
        "head_sha": one.head_sha,
        "saved_at": one.saved_at.isoformat(),
        "age_seconds": round(_age(one), 1),
        "saved": one.what,
    }


def _details(one: Rescue) -> dict[str, object]:
    return {
        "files": [{"path": file.path, "kind": file.kind, "deleted": file.mode == _GONE} for file in one.files],
        "stashes": one.stashes,
        "operation": one.operation,
        "own_refs": one.own_refs,
    }
