"""The one place where ports get their adapters."""

from __future__ import annotations

import threading
from typing import NamedTuple

from parallel_workers.adapters.agents.command import CommandRunner
from parallel_workers.adapters.git.clones import ensure_clone, is_url
from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.locations import data_folder
from parallel_workers.ports import AgentRunner, Forge, GitRepository


class Workplace(NamedTuple):
    """The tools for one repository. Opened before any agent runs, so that its remote's URL is the trusted one."""

    git: GitRepository
    forge: Forge
    runner: AgentRunner


_opened: dict[str, Workplace] = {}
_opening = threading.Lock()


def open_workplace(repository: str) -> Workplace:
    """The tools for a repository; one set per process, so that looks and fetches are shared.

    `repository` is a path on this machine, or a URL: then its clone in the data folder, made if need be.

    Raises:
        UsageError: there is no repository at that path, or the URL holds credentials.
        GitCommandError: the URL cannot be cloned.
    """
    with _opening:
        if repository not in _opened:
            path = ensure_clone(repository, data_folder().clones) if is_url(repository) else repository
            git = open_repository(str(path))
            _opened[repository] = Workplace(git, open_local_forge(git.path), CommandRunner())
        return _opened[repository]
