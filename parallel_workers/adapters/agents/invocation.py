"""What exactly is started: the program, its arguments, and where its stdin comes from. Decided before the start."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from parallel_workers.agent_runs import AgentCommand
from parallel_workers.errors import AgentNotFoundError, UsageError
from parallel_workers.spec import PromptDelivery

MAX_ARGUMENT_BYTES = 128 * 1024 - 1
"""Longest single argument on Linux (MAX_ARG_STRLEN, execve(2)), without its final NUL."""


class Invocation(NamedTuple):
    """An argument list and the file that becomes stdin."""

    argv: tuple[str, ...]
    stdin: Path


def decide_invocation(command: AgentCommand) -> Invocation:
    """The argument list exactly as given, with the prompt delivered as the profile says.

    On stdin the prompt is its file: no pipe that could block, break, or be waited on. Otherwise stdin is
    /dev/null, because several agents wait for the end of an open one.

    Raises:
        UsageError: no program is named, or the prompt cannot be an argument.
    """
    if not command.argv or not command.argv[0]:
        raise UsageError("the agent's command is empty: name a program in the agent profile's `command`")
    if any("\0" in argument for argument in command.argv):
        raise UsageError("the agent's command holds a NUL character, which no argument can carry")
    null = Path(os.devnull)
    if command.delivery is PromptDelivery.STDIN:
        return Invocation(command.argv, command.prompt_file)
    if command.delivery is PromptDelivery.FILE:
        return Invocation((*command.argv, str(command.prompt_file)), null)
    if "\0" in command.prompt:
        raise UsageError("the prompt holds a NUL character, which no argument can carry: use `prompt: stdin` or `file`")
    size = len(os.fsencode(command.prompt))
    if size > MAX_ARGUMENT_BYTES:
        raise UsageError(
            f"the prompt has {size:,} bytes and one argument holds at most {MAX_ARGUMENT_BYTES:,}: "
            "set `prompt: stdin` or `prompt: file` in the agent profile"
        )
    return Invocation((*command.argv, command.prompt), null)


def find_program(name: str, environment: Mapping[str, str], worktree: Path) -> Path:
    """The file that `name` starts: a path (relative ones from the worktree), or found in the environment's PATH.

    Raises:
        AgentNotFoundError: nothing there, or not executable; the message says what was looked for and what to do.
    """
    if "/" in name:
        path = worktree / name
        if not path.is_file():
            raise AgentNotFoundError(f"the agent's program {name} does not exist{_from(name, worktree)}")
        if not os.access(path, os.X_OK):
            raise AgentNotFoundError(f"the agent's program {name} is not executable: chmod +x {path}")
        return path
    # An empty or relative entry would mean a folder the agent can write to.
    folders = [folder for folder in environment.get("PATH", os.defpath).split(os.pathsep) if Path(folder).is_absolute()]
    found = shutil.which(name, path=os.pathsep.join(folders)) if folders else None
    if found:
        return Path(found)
    for folder in folders:
        if (Path(folder) / name).is_file():
            raise AgentNotFoundError(f"the agent's program {folder}/{name} is not executable: chmod +x {folder}/{name}")
    raise AgentNotFoundError(
        f"the agent's program {name!r} is not in the worker's PATH ({os.pathsep.join(folders) or 'empty'}): "
        "install it, or give its full path in the agent profile's `command`"
    )


def explain_refused_start(error: OSError, program: Path) -> AgentNotFoundError | UsageError:
    """What to tell when the kernel refused to start a program that is there and executable."""
    first_line = _first_line(program)
    if first_line.startswith("#!") and isinstance(error, FileNotFoundError):
        interpreter = first_line[2:].split()[0] if first_line[2:].split() else "(none named)"
        return AgentNotFoundError(f"the interpreter of {program} does not exist: {interpreter}; mend its first line")
    if isinstance(error, OSError) and error.strerror and "too long" in error.strerror:
        return UsageError(
            "prompt and environment together are too long to start a program: "
            "set `prompt: stdin` or `prompt: file` in the agent profile"
        )
    hint = "" if first_line.startswith("#!") else "; a script needs a first line such as #!/bin/sh"
    return AgentNotFoundError(f"{program} could not be started: {error.strerror}{hint}")


def _from(name: str, worktree: Path) -> str:
    return "" if name.startswith("/") else f" in {worktree}; relative paths count from the worktree"


def _first_line(program: Path) -> str:
    try:
        with program.open("rb") as file:
            return file.readline(256).decode("utf-8", "replace").strip()
    except OSError:
        return ""
