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
from parallel_workers.spec import ForgeKind, TaskOrder


class Workplace(NamedTuple):
    """The tools for one repository. Opened before any agent runs, so that its remote's URL is the trusted one.

    `kind` is the kind of `forge`.
    """

    git: GitRepository
    forge: Forge
    runner: AgentRunner
    kind: ForgeKind


_opened: dict[tuple[str, ForgeKind], Workplace] = {}
_opening = threading.Lock()


def workplace_of(order: TaskOrder) -> Workplace:
    """The tools for a worker: as `open_workplace`, for the repository and the forge that its order names."""
    return open_workplace(order.repository, order.forge)


def open_workplace(repository: str, forge: ForgeKind | None = None) -> Workplace:
    """The tools for a repository; one set per process, so that looks and fetches are shared.

    `repository` is a path on this machine, or a URL: then its clone in the data folder, made if need be.

    Raises:
        UsageError: there is no repository at that path, or the URL holds credentials.
        GitCommandError: the URL cannot be cloned.
    """
    kind = forge or ForgeKind.LOCAL
    with _opening:
        if (repository, kind) not in _opened:
            path = ensure_clone(repository, data_folder().clones) if is_url(repository) else repository
            git = open_repository(str(path))
            _opened[repository, kind] = Workplace(git, open_local_forge(git.path), CommandRunner(), kind)
        return _opened[repository, kind]
