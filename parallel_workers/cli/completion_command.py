"""`completion`: what a shell needs to complete our verbs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from parallel_workers.cli.output import json_option, print_json


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
@click.pass_context
def completion(context: click.Context, shell: str, *, as_json: bool) -> None:
    """Print the completion script of a shell.

    bash: eval "$(parallel-workers completion bash)" in ~/.bashrc; zsh: the same with zsh in ~/.zshrc; fish:
    parallel-workers completion fish > ~/.config/fish/completions/parallel-workers.fish
    """
    root = context.find_root()
    program = root.info_name or "parallel-workers"
    script_class = get_completion_class(shell)
    assert script_class is not None  # noqa: S101 - click has these three
    # The variable's name is the one click looks for when the script calls back.
    variable = f"_{program.replace('-', '_').upper()}_COMPLETE"
    script = script_class(root.command, {}, program, variable).source()
    if as_json:
        print_json({"shell": shell, "script": script})
    else:
        click.echo(script)
