"""Where pull requests of a repository would live if a batch ran here now. No forge is contacted, no server started."""

from __future__ import annotations

import os
from typing import NamedTuple

from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.adapters.github.choosing import choose_forge
from parallel_workers.adapters.github.credentials import GitHubCredentials, GivenValues, find_credentials, find_hosts
from parallel_workers.adapters.github.repository_url import is_on, parse_repository_url
from parallel_workers.decisions.forge_choice import ForgeChoice
from parallel_workers.errors import InvalidSpecError, ServerError, UsageError
from parallel_workers.reading.yaml_documents import parse_document
from parallel_workers.settings import SETTINGS_FILE, RepositorySettings, parse_settings
from parallel_workers.spec import ForgeKind


class Outlook(NamedTuple):
    """The forge, and the page of the repository there; '' when its remote is not on GitHub."""

    choice: ForgeChoice
    page: str


class WrittenSettings(NamedTuple):
    """A repository's settings, and the line of their `forge`; `file` is for messages."""

    file: str
    settings: RepositorySettings
    forge_line: int


def find_outlook(asked: ForgeKind | None, remote: str | None) -> Outlook:
    """With the credentials of this environment, else with those of the block, when a Prefect server runs.

    Raises:
        UsageError: GitHub was asked for, or half of its credentials given, and it cannot be used.
    """
    try:
        credentials = find_credentials(GivenValues(), os.environ)
        choice = choose_forge(asked, remote, credentials, os.environ)
    except UsageError:
        saved = _saved_credentials(remote)
        if saved is None:
            raise
        return _outlook(asked, remote, saved)
    if choice.kind is ForgeKind.LOCAL and asked is not ForgeKind.LOCAL:
        credentials = _saved_credentials(remote) or credentials
    return _outlook(asked, remote, credentials)


def read_settings(git: GitPythonRepository, sha: str, branch: str) -> WrittenSettings:
    """The settings as a commit, the head of `branch`, has them; none when it has no such file.

    Raises:
        InvalidSpecError: they do not hold.
    """
    file = f"{branch}:{SETTINGS_FILE}"
    text = git.read_base_file(sha, SETTINGS_FILE) or ""
    document = parse_document(text, file)
    line = document.line_of(("forge",)) if document is not None else 1
    return WrittenSettings(file, parse_settings(text, file), line)


def settings_here(git: GitPythonRepository) -> RepositorySettings:
    """The settings as HEAD has them; some that do not hold count as none: `validate` tells of them."""
    try:
        return read_settings(git, "HEAD", "HEAD").settings
    except InvalidSpecError:
        return RepositorySettings()


def _outlook(asked: ForgeKind | None, remote: str | None, credentials: GitHubCredentials | None) -> Outlook:
    choice = choose_forge(asked, remote, credentials, os.environ)
    hosts = credentials.hosts if credentials is not None else find_hosts(GivenValues(), os.environ)
    address = parse_repository_url(remote) if remote else None
    if address is None or not is_on(address, hosts):
        return Outlook(choice, "")
    return Outlook(choice, f"{hosts.server_url.rstrip('/')}/{address.full_name}")


def _saved_credentials(remote: str | None) -> GitHubCredentials | None:
    """Those of the block; None where there can be none: no server answers, or the remote is on no host."""
    if not remote or parse_repository_url(remote) is None:
        return None
    from parallel_workers.cli.server_access import find_server

    try:
        if find_server(preload="flows.forge_credentials") is None:
            return None
    except ServerError:
        return None
    import asyncio

    from flows.forge_credentials import github_credentials, load_credentials

    asyncio.run(load_credentials())
    return github_credentials()
