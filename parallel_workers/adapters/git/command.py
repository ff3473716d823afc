"""How git is run: one call, one process, through GitPython, hardened, never relying on the process's cwd."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, cast

from git.cmd import Git
from git.exc import GitCommandNotFound

from parallel_workers.adapters.git.hardened import (
    ConfigPairs,
    hardened_environment,
    inherited_location,
    inherited_secrets,
    secretless_environment,
)
from parallel_workers.errors import GitCommandError, UsageError

OLDEST_GIT = "2.39"
"""The oldest git that will do: `git merge-tree --stdin` came with it (git's RelNotes/2.39.0)."""


class GitOutput(NamedTuple):
    """How one git call ended: exit code and both outputs, exact but for stderr's last newline."""

    code: int
    stdout: str
    stderr: str


class GitOptions(NamedTuple):
    """What a call needs beyond its arguments.

    `environment` is laid over the hardened one; `config` outranks every config file; `stdin` is given as
    it is; `inherited_fds` stay open in git, so that a lock we hold outlives us for as long as git runs;
    with `secretless` git sees nothing of our environment but what it cannot do without. What git says goes into
    `output` as it comes, where it is too much for memory; then `GitOutput.stdout` is empty.
    """

    environment: Mapping[str, str] | None = None
    config: ConfigPairs = ()
    stdin: str | bytes | None = None
    inherited_fds: tuple[int, ...] = ()
    secretless: bool = False
    output: BinaryIO | None = None


_NO_OPTIONS = GitOptions()
_WORKTREE_IN_MOTION = re.compile(
    r"fatal: (?:Invalid path '|failed to read |bad object |could not open ')[^'\n]*\bworktrees/[^'\n]+"
)
"""git reads the records of all worktrees before it does anything, and dies of one just being made or removed."""
_IN_MOTION_PAUSES_SECONDS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_BYTES_AT_ONCE = 1024 * 1024
_PIPE_HOLDS = 4096
"""Bytes that a pipe takes at once everywhere, without anybody reading yet."""


def run_git(
    location: Path,
    *arguments: str,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    config: ConfigPairs = (),
    accepted: tuple[int, ...] = (0,),
) -> str:
    """Run `git <arguments>` in `location` (a worktree or a git directory); its stdout without the last newline.

    `env` and `config` (`(key, value)` pairs over every config file) add to the hardened environment.
    Bytes that are no UTF-8 come back as surrogate escapes. Safe to call from many threads.

    Raises:
        GitCommandError: the exit code is not in `accepted`.
        UsageError: there is no git program.
    """
    output = ask_git(location, *arguments, options=GitOptions(env, config, stdin))
    return checked(output, arguments, accepted)


def checked(output: GitOutput, arguments: tuple[str, ...], accepted: tuple[int, ...] = (0,)) -> str:
    """stdout without its last newline; GitCommandError when the exit code is not in `accepted`."""
    if output.code not in accepted:
        raise GitCommandError(arguments, output.code, output.stdout, output.stderr)
    return output.stdout.removesuffix("\n")


def ask_git(location: Path, *arguments: str, options: GitOptions = _NO_OPTIONS) -> GitOutput:
    """As `run_git`, for callers that read the exit code: never raises because git said no.

    Raises:
        UsageError: there is no git program.
    """
    output = _ask_once(location, arguments, options)
    for pause in _IN_MOTION_PAUSES_SECONDS:
        if output.code == 0 or not _WORKTREE_IN_MOTION.search(output.stderr):
            break
        time.sleep(pause)
        output = _ask_once(location, arguments, options)
    return output


def _ask_once(location: Path, arguments: tuple[str, ...], options: GitOptions) -> GitOutput:
    own = secretless_environment if options.secretless else hardened_environment
    environment = {**own(options.config), **(options.environment or {})}
    # GitPython starts from os.environ and can only add to it
    strays = inherited_secrets(environment) if options.secretless else inherited_location(environment)
    prefix = ["env", *(part for name in strays for part in ("-u", name))] if strays else []
    # -C and not Git(location): GitPython expands `$NAME` and `~` in its working directory
    command = [*prefix, "git", "-C", str(location), *arguments]
    if options.stdin is None:
        return _execute(command, environment, options, None)
    with _readable(options.stdin) as stream:
        return _execute(command, environment, options, stream)


def _readable(text: str | bytes) -> IO[bytes]:
    """An open file that reads as `text`: what GitPython's `istream` has to be."""
    content = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    if len(content) <= _PIPE_HOLDS:
        read_end, write_end = os.pipe()
        os.write(write_end, content)
        os.close(write_end)
        return os.fdopen(read_end, "rb")
    stream = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    stream.write(content)
    stream.seek(0)
    return stream


def _execute(
    command: list[str], environment: Mapping[str, str], options: GitOptions, stdin: IO[bytes] | None
) -> GitOutput:
    try:
        # a fresh Git per call: it holds no state that threads could share
        answer = Git().execute(
            command,
            istream=cast("BinaryIO | None", stdin),
            with_extended_output=True,
            with_exceptions=False,
            strip_newline_in_stdout=False,
            env=environment,
            # a session of its own: Ctrl-C does not kill git between two writes, and ssh finds no terminal to ask on
            start_new_session=True,
            pass_fds=options.inherited_fds,
            output_stream=options.output,
            max_chunk_size=_BYTES_AT_ONCE,
        )
    except GitCommandNotFound as error:
        raise UsageError(f"git was not found on PATH; install git {OLDEST_GIT} or newer") from error
    return GitOutput(*answer)
