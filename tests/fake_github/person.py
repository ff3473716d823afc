"""A person with a real clone, who works past every API."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path


class Person:
    """Commits and pushes as a human does; the clone is made at the first push."""

    def __init__(self, name: str, remote: Path, clone: Path) -> None:
        self._remote = remote
        self._clone = clone
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(clone.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **{f"GIT_{role}_NAME": name for role in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{role}_EMAIL": f"{name}@example.invalid" for role in ("AUTHOR", "COMMITTER")},
        }

    def push(self, branch: str, files: Mapping[str, str | None], message: str, *, force: bool = False) -> str:
        """Commit files (None deletes one) onto the branch as it is on the remote, and push it; the new sha.

        With `force` the commit replaces the branch's last one.
        """
        if not self._clone.exists():
            self._clone.parent.mkdir(parents=True, exist_ok=True)
            self._git(self._clone.parent, "clone", "--quiet", "--no-hardlinks", str(self._remote), str(self._clone))
        self._run("fetch", "--quiet", "--prune", "origin")
        self._run("checkout", "--quiet", "--force", "-B", branch, f"origin/{branch}")
        for name, text in files.items():
            self._put(self._clone / name, text)
        self._run("add", "--all")
        self._run("commit", "--quiet", "--allow-empty", "--message", message, *(["--amend"] if force else []))
        self._run("push", "--quiet", *(["--force"] if force else []), "origin", branch)
        return self._run("rev-parse", "HEAD")

    def forget(self) -> None:
        """Throw the clone away."""
        shutil.rmtree(self._clone, ignore_errors=True)

    def _put(self, path: Path, text: str | None) -> None:
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def _run(self, *arguments: str) -> str:
        return self._git(self._clone, *arguments)

    def _git(self, folder: Path, *arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()
