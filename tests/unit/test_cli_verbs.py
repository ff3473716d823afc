"""Every verb is listed with the help it has, answers --help, and takes --json."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from parallel_workers.cli.main import SECTIONS, cli

VERBS = [verb for section in SECTIONS for verb in section.verbs]


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from leaves(below, (*path, name))
    else:
        yield path, command


LEAVES = list(leaves(cli))


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_listed_summary_is_the_commands_own(verb: object) -> None:
    assert isinstance(verb, tuple)
    command = cli.get_command(click.Context(cli), verb[0])
    assert command is not None
    assert command.help is not None
    assert command.name == verb[0]
    assert command.help.strip().splitlines()[0] == verb[2]


def test_all_seed_verbs_are_there() -> None:
    paths = {" ".join(path) for path, _ in LEAVES}
    assert paths >= {
        "spawn", "spawn-batch", "list", "get", "terminate", "cleanup", "loop",
        "state get", "state set", "state list", "state remove", "state transition",
        "worktree create", "worktree list", "worktree remove", "worktree prune", "worktree status",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "command"), LEAVES, ids=lambda part: " ".join(part) if isinstance(part, tuple) else ""
)
def test_every_verb_answers_help_and_takes_json(path: tuple[str, ...], command: click.Command) -> None:
    answer = CliRunner().invoke(cli, [*path, "--help"])
    assert answer.exit_code == 0, answer.output
    assert "--json" in answer.output
    assert command.help


@pytest.mark.parametrize(
    ("typed", "meant"), [("wroktree", "worktree"), ("spawn_batch", "spawn-batch"), ("lst", "list")]
)
def test_a_mistyped_verb_names_the_nearest(typed: str, meant: str) -> None:
    answer = CliRunner().invoke(cli, [typed])
    assert answer.exit_code == 2
    assert f"Did you mean '{meant}'?" in answer.output


def test_an_unknown_verb_names_none() -> None:
    answer = CliRunner().invoke(cli, ["qqqqqqqq"])
    assert answer.exit_code == 2
    assert "Did you mean" not in answer.output
