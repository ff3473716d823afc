"""The one place where ports get their adapters."""

from __future__ import annotations

import os
import threading
from typing import NamedTuple

from flows.forge_credentials import github_credentials, renew_credentials
from parallel_workers.adapters.agents.command import CommandRunner
from parallel_workers.adapters.git.askpass import GitCredential
from parallel_workers.adapters.git.clones import ensure_clone, is_url
from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.adapters.github.choosing import choose_forge
from parallel_workers.adapters.github.connections import open_connection
from parallel_workers.adapters.github.forge import HostCredential, open_github_forge
from parallel_workers.adapters.github.repository_url import is_on, parse_repository_url
from parallel_workers.adapters.github.timing import REAL_TIME
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.decisions.forge_choice import ForgeChoice
from parallel_workers.errors import UsageError
from parallel_workers.locations import data_folder
from parallel_workers.ports import AgentRunner, Forge, GitRepository
from parallel_workers.spec import ForgeKind, TaskOrder


class Workplace(NamedTuple):
    """The tools for one repository. Opened before any agent runs, so that its remote's URL is the trusted one.

    `choice` is the kind of `forge`, and why it is this one.
    """

    git: GitRepository
    forge: Forge
    runner: AgentRunner
    choice: ForgeChoice


RUNNER: AgentRunner = CommandRunner()
"""One for all repositories: it keeps nothing."""

_repositories: dict[str, GitPythonRepository] = {}
_choices: dict[tuple[str, ForgeKind | None], ForgeChoice] = {}
_opened: dict[tuple[str, ForgeKind], Workplace] = {}
_opening = threading.Lock()


def workplace_of(order: TaskOrder) -> Workplace:
    """The tools for a worker: as `open_workplace`, for the repository and the forge that its order names."""
    return open_workplace(order.repository, order.forge)


def open_workplace(repository: str, forge: ForgeKind | None = None) -> Workplace:
    """The tools for a repository; one set per process, so that looks and fetches are shared.

    `repository` is a path on this machine, or a URL: then its clone in the data folder, made if need be. `forge` is the
    kind that is asked for; None leaves it to the remote and the credentials.

    Raises:
        UsageError: there is no repository at that path, the URL holds credentials, or the forge cannot be used.
        GitCommandError: the URL cannot be cloned.
        ForgeError: GitHub cannot be reached, or its App is not installed there.
    """
    with _opening:
        git = _repositories.get(repository) or _repositories.setdefault(repository, _open_repository(repository))
        if (repository, forge) not in _choices:
            remote = None if forge is ForgeKind.LOCAL else git.effective_remote_url
            _choices[repository, forge] = choose_forge(forge, remote, github_credentials(), os.environ)
        choice = _choices[repository, forge]
        if (repository, choice.kind) not in _opened:
            _opened[repository, choice.kind] = _equip(git, choice)
        return _opened[repository, choice.kind]._replace(choice=choice)


async def renew_workplaces() -> bool:
    """After a forge refused: open all anew, if the block with its credentials holds others by now; whether it does.

    Raises:
        UsageError: what is saved in the block does not fit.
    """
    if not await renew_credentials():
        return False
    with _opening:
        _choices.clear()
        _opened.clear()
    return True


def _equip(git: GitPythonRepository, choice: ForgeChoice) -> Workplace:
    if choice.kind is ForgeKind.LOCAL:
        return Workplace(git, open_local_forge(git.path), RUNNER, choice)
    credentials, remote = github_credentials(), git.effective_remote_url
    if credentials is None or remote is None:  # decided otherwise a moment ago
        raise UsageError("the credentials for GitHub, or the remote, are gone")
    forge = open_github_forge(git.path, remote, credentials)
    return Workplace(git.with_credential(forge.git_credential), forge, RUNNER, choice)


def _open_repository(repository: str) -> GitPythonRepository:
    if not is_url(repository):
        return open_repository(repository)
    return open_repository(ensure_clone(repository, data_folder().clones, _credential_for(repository)))


def _credential_for(url: str) -> GitCredential | None:
    """What to clone with: the forge's credential when it is for that server, else what git finds by itself."""
    credentials, address = github_credentials(), parse_repository_url(url)
    if credentials is None or address is None or address.is_ssh or not is_on(address, credentials.hosts):
        return None
    return HostCredential(open_connection(credentials, address.full_name, REAL_TIME))
