"""A click group that imports a command when it is called, not when it is listed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from parallel_workers.cli.boundary import ExitCode
from parallel_workers.reading.suggestions import nearest


class Verb(NamedTuple):
    """One command of a lazy group: where it is (`module:attribute`) and its one line in the group's help."""

    name: str
    target: str
    summary: str


class Section(NamedTuple):
    """Verbs that are listed together under a heading."""

    title: str
    verbs: tuple[Verb, ...]


class LazyGroup(click.Group):
    """Lists its verbs from a table, so that `--help` costs no import; a verb is imported to carry it out."""

    def __init__(self, *, sections: Sequence[Section], **attributes: Any) -> None:
        super().__init__(**attributes)
        self.sections = tuple(sections)
        self._targets = {verb.name: verb.target for section in self.sections for verb in section.verbs}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The verbs in the order of the table: what is used first comes first."""
        return list(self._targets)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported now; None when there is no such verb."""
        target = self._targets.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with the nearest verb named when there is none of this name."""
        wanted = args[0]
        if wanted not in self._targets and not wanted.startswith("-") and not ctx.resilient_parsing:
            near = nearest(wanted, self._targets)
            hint = f" Did you mean '{near}'?" if near else ""
            ctx.fail(f"No such command '{wanted}'.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """As click does it, but a reader of stdout that went away is left to the boundary: click would end with 1."""
        try:
            answer: object = super().invoke(ctx)
        except BrokenPipeError:
            return ExitCode.PIPE_CLOSED
        return answer

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """One list per section, written from the table."""
        width = max(len(name) for name in self._targets)
        for section in self.sections:
            with formatter.section(section.title):
                formatter.write_dl([(verb.name.ljust(width), verb.summary) for verb in section.verbs])
