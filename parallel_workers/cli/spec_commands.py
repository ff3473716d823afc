"""`validate` and `schema`: the batch file, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from parallel_workers.cli.boundary import ExitCode
from parallel_workers.cli.output import json_option, print_json, print_table, say
from parallel_workers.errors import InvalidSpecError, Problem

if TYPE_CHECKING:
    from parallel_workers.spec import BatchSpec, TaskSpec

SPEC = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.command()
@click.argument("spec", type=SPEC)
@json_option
def validate(spec: Path, *, as_json: bool) -> int:
    """Check a batch file and show its plan.

    Every problem is printed, one per line, with its place in the file; the exit code is 2 then.
    """
    from parallel_workers.cli.batch_file import read_batch

    try:
        batch = read_batch(spec)
        place = _describe_forge(spec, batch)
    except InvalidSpecError as error:
        _print_problems(error.problems, as_json=as_json)
        return ExitCode.USAGE
    if as_json:
        print_json({"valid": True, "problems": [], "batch": batch})
    else:
        _print_plan(spec, batch, place)
    return ExitCode.OK


@click.command()
@json_option
def schema(*, as_json: bool) -> None:  # noqa: ARG001 - it is JSON either way
    """Print the JSON Schema of batch files.

    For editors: # yaml-language-server: $schema=<file> as the first line of a batch file.
    """
    from parallel_workers.schema import batch_schema

    print_json(batch_schema())


def _print_problems(problems: tuple[Problem, ...], *, as_json: bool) -> None:
    if as_json:
        print_json({"valid": False, "problems": problems})
        return
    for problem in problems:
        click.echo(str(problem))
    say(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}.")


def _print_plan(spec: Path, batch: BatchSpec, place: str) -> None:
    count = len(batch.tasks)
    say(f"OK: {spec}: {count} task{'s' if count > 1 else ''}, {batch.max_workers} at once, merge: {batch.merge}")
    say(place)
    ordered = plan_order(batch)
    rows = (
        (str(wave), task.id, task.agent, str(task.priority), ", ".join(task.dependencies), task.description)
        for wave, task in ordered
    )
    print_table(("Wave", "Task", "Agent", "Priority", "After", "Description"), rows, "")


def _describe_forge(spec: Path, batch: BatchSpec) -> str:
    """Where pull requests would live if the batch ran with this environment, and why. No forge is contacted.

    Raises:
        InvalidSpecError: there they cannot live, or the settings of the repository do not hold.
    """
    from parallel_workers.adapters.git.repository import open_repository
    from parallel_workers.cli.forge_outlook import find_outlook, read_settings
    from parallel_workers.errors import BaseBranchError, GitCommandError, UsageError
    from parallel_workers.reading.yaml_documents import load_document
    from parallel_workers.settings import apply_settings

    file, line = str(spec), load_document(spec).line_of(("forge",))
    try:
        git = open_repository(batch.repository)
    except UsageError as error:  # a batch that names no repository is for whichever it is run in
        return str(error)
    asked = batch.forge
    try:
        written = read_settings(git, git.fetch_base(batch.base_branch), batch.base_branch)
    except (BaseBranchError, GitCommandError):
        pass  # without its base branch there are no settings; the run will tell
    else:
        asked = apply_settings(batch, written.settings).forge
        if asked is not batch.forge:
            file, line = written.file, written.forge_line
    try:
        return find_outlook(asked, git.effective_remote_url).choice.reason
    except UsageError as error:
        raise InvalidSpecError((Problem(file, line, str(error)),)) from error


def plan_order(batch: BatchSpec) -> list[tuple[int, TaskSpec]]:
    """Every task with its wave, counted from 1: those of a wave need only waves before it. In order of start."""
    from parallel_workers.decisions.scheduling import decide_schedule
    from parallel_workers.progress import TaskProgress

    unlimited = batch.model_copy(update={"max_workers": len(batch.tasks)})
    ordered: list[tuple[int, TaskSpec]] = []
    done: dict[str, TaskProgress] = {}
    wave = 0
    while ready := decide_schedule(unlimited, done).start:
        wave += 1
        ordered += [(wave, batch.task(task_id)) for task_id in ready]
        done.update(dict.fromkeys(ready, TaskProgress.DONE))
    return ordered
