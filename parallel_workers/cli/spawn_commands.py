"""`spawn` and `spawn-batch`: work handed over to a server's deployments, or carried out here when it has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parallel_workers.cli.output import print_fields, print_json, say
from parallel_workers.cli.run_options import RunRequest, run_options
from parallel_workers.cli.spec_commands import SPEC
from parallel_workers.errors import UsageError

if TYPE_CHECKING:
    from parallel_workers.cli.hand_over import HandedOver
    from parallel_workers.spec import BatchSpec

HandOver = Callable[["BatchSpec", dict[str, Any], str], "HandedOver | None"]


@click.command("spawn-batch")
@click.option("--spec-file", type=SPEC, required=True, help="The batch file.")
@run_options
def spawn_batch(spec_file: Path, request: RunRequest) -> int:
    """Hand a batch file over to the server.

    A running server with the deployment run-batch/run-batch takes it, and this command returns at once. Without
    one the batch is carried out here, as `run` does.
    """
    from parallel_workers.adapters.git.repository import open_repository
    from parallel_workers.cli.batch_file import how_to_go_on_with, read_batch
    from parallel_workers.cli.hand_over import hand_over_batch

    batch = read_batch(spec_file)
    how_to_go_on = how_to_go_on_with(spec_file, batch, request)
    # Whoever takes it up has another current directory.
    batch = batch.model_copy(update={"repository": str(open_repository(batch.repository).path)})
    return _hand_over(batch, request, hand_over_batch, how_to_go_on)


@click.command()
@click.option("--task-id", required=True, help="Names the branch and the worktree, such as TASK-001.")
@click.option("--description", required=True, help="What is to be done.")
@click.option("--agent", required=True, help="Agent profile, such as code-author.")
@click.option("--base-branch", required=True, help="Begin from and merge into this branch.")
@click.option("--priority", type=click.IntRange(1, 10), default=5, show_default=True, help="Higher first.")
@click.option("--project", help="Default: the name of the repository's folder.")
@run_options
def spawn(request: RunRequest, **task: Any) -> int:
    """Hand a single task over to the server.

    For the repository around the current directory. A running server with the deployment
    implement-task/implement-task takes it, and this command returns at once. Without one the task is carried out
    here.
    """
    from parallel_workers.cli.hand_over import hand_over_task

    how_to_go_on = "Stopped; nothing is lost. The same command goes on."
    return _hand_over(_one_task_batch(**task), request, hand_over_task, how_to_go_on)


def _one_task_batch(*, project: str | None, base_branch: str, task_id: str, **task: Any) -> BatchSpec:
    from pydantic import ValidationError

    from parallel_workers.adapters.git.repository import open_repository
    from parallel_workers.spec import BatchSpec, TaskSpec

    repository = open_repository(Path.cwd()).path
    try:
        return BatchSpec(
            name="spawn",
            project=project or repository.name.removesuffix(".git"),
            base_branch=base_branch,
            repository=str(repository),
            tasks=(TaskSpec(id=task_id, **task),),
        )
    except ValidationError as error:
        raise UsageError("; ".join(_complaint(one["loc"], one["msg"]) for one in error.errors())) from error


def _complaint(place: tuple[int | str, ...], message: str) -> str:
    option = str(place[-1]).replace("_", "-") if place else "task"
    return f"--{'task-id' if option == 'id' else option}: {message.removeprefix('Value error, ')}"


def _hand_over(batch: BatchSpec, request: RunRequest, hand_over: HandOver, how_to_go_on: str) -> int:
    """Hand over where there is a server with a deployment for it; else run here and say so."""
    from parallel_workers.cli.boundary import ExitCode
    from parallel_workers.cli.foreground_run import run_batch_here
    from parallel_workers.cli.server_access import find_server

    address = find_server(preload="flows.run_batch", verbose=request.verbose)
    if address is not None:
        handed_over = hand_over(_as_wide_as_asked(batch, request), _arguments(request), address.ui_url)
        if handed_over is not None:
            _print_handed_over(handed_over, as_json=request.as_json)
            return ExitCode.OK
    missing = "The server has no deployment for it" if address else "No Prefect server runs"
    say(f"{missing}: it is carried out here, in the foreground.")
    return run_batch_here(batch, request, how_to_go_on)


def _as_wide_as_asked(batch: BatchSpec, request: RunRequest) -> BatchSpec:
    """The batch with the command line's width: it travels in the batch, the flow has no parameter for it."""
    if request.max_workers is None:
        return batch
    return batch.model_copy(update={"max_workers": request.max_workers})


def _arguments(request: RunRequest) -> dict[str, Any]:
    return {
        "worktree_root": request.absolute_worktree_root,
        "policy_block": request.policy,
        "poll_seconds": request.poll_interval,
    }


def _print_handed_over(handed_over: HandedOver, *, as_json: bool) -> None:
    if as_json:
        print_json(handed_over.facts())
    else:
        print_fields(handed_over.shown())
