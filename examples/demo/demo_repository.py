"""The repository the demo works on: an ordinary one, made from `project/` with the agents' programs in `tools/`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
BASE_BRANCH = "main"
_SUBJECT = "chore: begin the postage demo"
_NOT_COPIED = shutil.ignore_patterns("__pycache__", ".ruff_cache", ".mypy_cache")


class DemoRepository(NamedTuple):
    """The demo's repository, looked at with plain git."""

    path: Path

    def is_ours(self) -> bool:
        """Whether the demo made it."""
        if not (self.path / ".git").is_dir():
            return False
        return _SUBJECT in self._git("log", "--max-parents=0", "--format=%s", BASE_BRANCH, "--").splitlines()

    def feature_branches(self) -> list[str]:
        """Branches of tasks that are left."""
        return self._git("for-each-ref", "--format=%(refname:short)", "refs/heads/feature/").splitlines()

    def worktrees(self) -> list[str]:
        """Linked worktrees that are left."""
        listed = self._git("worktree", "list", "--porcelain").splitlines()
        return [line.partition(" ")[2] for line in listed if line.startswith("worktree ")][1:]

    def graph(self) -> str:
        """The base branch's history."""
        return self._git("log", "--graph", "--oneline", BASE_BRANCH, "--")

    def _git(self, *arguments: str) -> str:
        return _git(self.path, *arguments)


def ensure_repository(path: Path) -> tuple[DemoRepository, bool]:
    """The demo's repository at `path`, and whether it was made now.

    It is made beside its place and moved there whole, so that a demo that is killed leaves no half of one.
    """
    if path.exists():
        return DemoRepository(path), False
    unfinished = path.with_name(f".{path.name}-{os.getpid()}")
    shutil.copytree(HERE / "project", unfinished, ignore=_NOT_COPIED)
    shutil.copytree(HERE / "agents", unfinished / "tools", ignore=_NOT_COPIED)
    _git(unfinished, "init", "--quiet", "--template=", f"--initial-branch={BASE_BRANCH}")
    _git(unfinished, "add", "--all")
    # Whoever has told git nothing about himself yet, or tells it to sign or to run hooks, can run the demo too.
    settings = ("user.name=Demo", "user.email=demo@parallel-workers.invalid", "commit.gpgSign=false", "core.hooksPath=")
    options = [option for setting in settings for option in ("-c", setting)]
    _git(unfinished, *options, "commit", "--quiet", f"--message={_SUBJECT}")
    unfinished.rename(path)
    return DemoRepository(path), True


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
