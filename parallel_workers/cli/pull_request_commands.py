"""`pr`: pull requests of the local forge, which need no account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from parallel_workers.cli.boundary import ExitCode
from parallel_workers.cli.output import json_option, print_fields, print_json, print_table, say
from parallel_workers.cli.repository_option import repository_option
from parallel_workers.cli.worker_keys import merge_attempt_keys, pull_request_keys

if TYPE_CHECKING:
    from parallel_workers.adapters.local_forge.forge import LocalForge
    from parallel_workers.pull_requests import MergeAttempt, PullRequest

_STATES = ("open", "merged", "closed", "all")
_METHODS = ("merge", "squash", "rebase")


@click.group()
def pr() -> None:
    """Look at and merge pull requests of the local forge.

    They live in the repository itself, in refs/parallel-workers/pulls/. Where they live on GitHub, its page is named.
    """


@pr.command("list")
@click.option("--state", type=click.Choice(_STATES), default="open", show_default=True)
@repository_option
@json_option
def list_pull_requests(state: str, repository: Path, *, as_json: bool) -> None:
    """List pull requests."""
    found = _forge(repository).fetch_pull_requests(include_ended=state != "open")
    shown = [one for one in found if state in {"all", one.state.value}]
    if as_json:
        print_json([pull_request_keys(one) for one in shown])
    else:
        rows = ((f"#{one.number}", one.state.value, one.head_branch, one.base_branch, one.title) for one in shown)
        kind = "" if state == "all" else f"{state} "
        print_table(("PR", "State", "Branch", "Base", "Title"), rows, f"No {kind}pull requests.")


@pr.command("show")
@click.argument("number", type=click.IntRange(min=1))
@repository_option
@json_option
def show(number: int, repository: Path, *, as_json: bool) -> None:
    """Show a pull request: state, branch, commits, changes and text."""
    forge = _forge(repository, number)
    one = forge.fetch_pull_request(number)
    changes = forge.read_changes(number)
    if as_json:
        print_json({**pull_request_keys(one), "changes": changes})
        return
    print_fields(
        {
            "title": one.title,
            "number": f"#{one.number}",
            "state": one.state.value,
            "branch": f"{one.head_branch} into {one.base_branch}",
            "head": one.head_sha,
            "merged as": one.merge_sha,
            "labels": ", ".join(one.labels),
            "milestone": one.milestone,
            "reason": one.reason,
            "created": one.created_at,
        }
    )
    click.echo(f"\n{changes.rstrip() or '(no commits)'}\n\n{one.body.rstrip()}")


@pr.command("merge")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--merge", "method", flag_value="merge", default=True, help="With a merge commit (the default).")
@click.option("--squash", "method", flag_value="squash", help="As one commit.")
@click.option("--rebase", "method", flag_value="rebase", help="Commit by commit on top of the base.")
@repository_option
@json_option
def merge(number: int, method: str, repository: Path, *, as_json: bool) -> int:
    """Merge a pull request into its base; exit code 1, with the reason, when that cannot be."""
    from parallel_workers.pull_requests import MergeOutcome
    from parallel_workers.spec import MergeMethod

    attempt = _forge(repository, number).merge_pull_request(number, MergeMethod(method))
    if as_json:
        print_json(merge_attempt_keys(attempt))
    else:
        _say_attempt(attempt)
    return ExitCode.OK if attempt.outcome is MergeOutcome.MERGED else ExitCode.FAILED


@pr.command("close")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--reason", default="", help="Why, for whoever looks later.")
@repository_option
@json_option
def close(number: int, reason: str, repository: Path, *, as_json: bool) -> None:
    """Close a pull request without merging it; its branch stays."""
    closed: PullRequest = _forge(repository, number).close_pull_request(number, reason)
    if as_json:
        print_json(pull_request_keys(closed))
    else:
        say(f"#{number} is {closed.state.value}; its branch {closed.head_branch} is kept.")


@pr.command("hand-back")
@click.argument("number", type=click.IntRange(min=1))
@repository_option
@json_option
def hand_back(number: int, repository: Path, *, as_json: bool) -> None:
    """Let the worker go on that asked for a person: takes the label parallel-workers:needs-human off."""
    handed: PullRequest = _forge(repository, number).hand_back(number)
    if as_json:
        print_json(pull_request_keys(handed))
    else:
        say(f"#{number} is handed back; its worker goes on at the next look.")


def _forge(repository: Path, number: int | None = None) -> LocalForge:
    """The local forge of a repository. Raises UsageError, with the page, where pull requests live on GitHub."""
    from parallel_workers.adapters.git.repository import open_repository
    from parallel_workers.adapters.local_forge.forge import open_local_forge
    from parallel_workers.cli.forge_outlook import find_outlook, settings_here
    from parallel_workers.errors import ForgeError, GitCommandError, UsageError
    from parallel_workers.spec import ForgeKind

    git = open_repository(repository)
    asked = settings_here(git).forge
    # a forge that was asked for and cannot be used is what `validate` and `run` complain of
    outlook = find_outlook(ForgeKind.LOCAL if asked is ForgeKind.LOCAL else None, git.effective_remote_url)
    on_github = UsageError(
        f"pull requests of this repository live on GitHub: see "
        f"{outlook.page}/{'pulls' if number is None else f'pull/{number}'}"
    )
    if outlook.page and (outlook.choice.kind is ForgeKind.GITHUB or asked is ForgeKind.GITHUB):
        raise on_github
    forge = open_local_forge(repository)
    if outlook.page and asked is not ForgeKind.LOCAL:
        try:
            forge.fetch_pull_requests()
        except (ForgeError, GitCommandError) as error:  # what git says of a login helps nobody here
            raise on_github from error
    return forge


def _say_attempt(attempt: MergeAttempt) -> None:
    one = attempt.pull_request
    if attempt.outcome == "merged":
        say(f"#{one.number} is merged into {one.base_branch}.")
        click.echo(one.merge_sha or one.head_sha)
        return
    say(f"#{one.number} is not merged ({attempt.outcome}): {attempt.reason}")
    for file in attempt.files:
        say(f"  {file}")
