"""Whether the git on PATH is new enough: asked once per program and process."""

from __future__ import annotations

import re
import shutil
from functools import lru_cache
from pathlib import Path

from parallel_workers.adapters.git.command import OLDEST_GIT, run_git
from parallel_workers.errors import UsageError


def ensure_git_version() -> None:
    """Return if git will do.

    Raises:
        UsageError: it is too old, or there is none; the message names what was found.
    """
    program = shutil.which("git") or "git"
    found = _ask_version(program)
    if is_too_old(found):
        raise UsageError(
            f"{found} at {program} is too old: parallel-workers needs git {OLDEST_GIT} or newer, which can merge "
            f"without a checkout (git merge-tree --stdin). Install a newer git, or put it first on PATH"
        )


def is_too_old(said: str) -> bool:
    """Whether `git --version` names one before `OLDEST_GIT`; what cannot be read is given the benefit of the doubt."""
    found = re.search(r"(\d+)\.(\d+)", said)
    oldest = tuple(int(part) for part in OLDEST_GIT.split("."))
    return found is not None and (int(found[1]), int(found[2])) < oldest


@lru_cache(maxsize=8)
def _ask_version(program: str) -> str:  # noqa: ARG001 - the key: tests and users change PATH
    return run_git(Path("/"), "--version")
