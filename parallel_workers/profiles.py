"""Agent profiles: the shipped ones, and how one that the user declares adds to them.

A shipped profile says what kind of engineer the agent is, not which program it is: that comes from the batch or
repository settings, or from the environment.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from parallel_workers.errors import UsageError
from parallel_workers.spec import AgentProfile

COMMAND_VARIABLE = "PARALLEL_WORKERS_AGENT_COMMAND"
"""A command line, split as a shell would, for every profile that names no command."""

SHIPPED_NAMES = ("code-author", "test-author", "iac-engineer")


@cache
def shipped_profiles() -> Mapping[str, AgentProfile]:
    """The profiles that are always there, by name: instructions, and no command."""
    folder = files("parallel_workers") / "instructions"
    return MappingProxyType(
        {
            name: AgentProfile(instructions=(folder / f"{name}.md").read_text(encoding="utf-8").strip())
            for name in SHIPPED_NAMES
        }
    )


def merge_profile(name: str, declared: Mapping[str, AgentProfile]) -> AgentProfile:
    """The profile of that name: what is declared, over what is shipped under the same name.

    A declared field that has its default value counts as not declared. The command may still be empty.

    Raises:
        UsageError: there is no such profile; the message names the nearest.
    """
    shipped = shipped_profiles().get(name)
    own = declared.get(name)
    if own is None and shipped is None:
        known = sorted({*declared, *SHIPPED_NAMES})
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(f"there is no agent profile {name!r}; {hint}known: {', '.join(known)}")
    if own is None or shipped is None:
        return own or shipped or AgentProfile()
    changes = {
        field: value
        for field, info in AgentProfile.model_fields.items()
        if (value := getattr(own, field)) != info.get_default(call_default_factory=True)
    }
    return shipped.model_copy(update=changes)


def resolve_profile(
    name: str, declared: Mapping[str, AgentProfile], environment: Mapping[str, str] | None = None
) -> AgentProfile:
    """The profile of that name, with the command it is run by.

    `environment` (default: this process's) is asked for PARALLEL_WORKERS_AGENT_COMMAND when the profile names
    no command.

    Raises:
        UsageError: there is no such profile, or nothing says which program to run; the message shows what to write.
    """
    profile = merge_profile(name, declared)
    if profile.command:
        return profile
    line = (os.environ if environment is None else environment).get(COMMAND_VARIABLE, "")
    try:
        command = tuple(shlex.split(line))
    except ValueError as error:
        what = f"{COMMAND_VARIABLE} cannot be split into arguments: {error}"
        raise UsageError(what, mend=f"unset {COMMAND_VARIABLE}") from error
    if command:
        return profile.model_copy(update={"command": command})
    raise UsageError(_NO_COMMAND.format(name=name, variable=COMMAND_VARIABLE))


def names_instructions_file(instructions: str) -> bool:
    """Whether a profile's `instructions` are the path of a text file below the repository, and not the text itself."""
    return len(instructions.split()) == 1 and instructions.strip().endswith((".md", ".txt", ".rst"))


_NO_COMMAND = """nothing says which program the agent profile {name!r} runs. Write into the batch file, or into \
.parallel-workers.yml on the base branch:
agents:
  {name}:
    command: [your-agent, --its-options]   # the program and its arguments
    prompt: arg                            # or stdin, or file: how it gets the prompt
or set {variable}="your-agent --its-options"."""
