"""The repositories that the measurements work on, generated: a clone and its bare remote."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

_FILES_PER_FOLDER = 50
IDENTITY = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Benchmark",
    "GIT_AUTHOR_EMAIL": "benchmark@example.invalid",
    "GIT_COMMITTER_NAME": "Benchmark",
    "GIT_COMMITTER_EMAIL": "benchmark@example.invalid",
}


class Repository(NamedTuple):
    """A clone with `main` checked out, and the bare repository that is its `origin`."""

    clone: Path
    remote: Path

    def base_files(self) -> set[str]:
        """The names of all files in the remote's base branch."""
        return set(run_git(self.remote, "ls-tree", "-r", "--name-only", "main").splitlines())


def make_repository(folder: Path, files: int = 200) -> Repository:
    """Make a repository of `files` small files, one commit, in `folder`."""
    clone, remote = folder / "clone", folder / "remote.git"
    clone.mkdir(parents=True)
    for number in range(files):
        file = clone / f"part-{number // _FILES_PER_FOLDER}" / f"file-{number}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{number}\n" * 20, encoding="utf-8")
    run_git(clone, "init", "--quiet", "--initial-branch=main")
    run_git(clone, "add", "--all")
    run_git(clone, "commit", "--quiet", "--message", "chore: begin")
    run_git(folder, "clone", "--quiet", "--bare", str(clone), str(remote))
    run_git(clone, "remote", "add", "origin", str(remote))
    run_git(clone, "fetch", "--quiet", "origin")
    return Repository(clone, remote)


def run_git(folder: Path, *arguments: str) -> str:
    """Stripped stdout of git, run in `folder`. Raises CalledProcessError."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **IDENTITY}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()
