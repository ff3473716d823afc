"""Whether a repository's pull requests are to live on GitHub: asked of its remote's URL and the credentials at hand."""

from __future__ import annotations

from collections.abc import Mapping

from parallel_workers.adapters.github.credentials import GitHubCredentials, GivenValues, find_hosts
from parallel_workers.adapters.github.repository_url import is_on, parse_repository_url
from parallel_workers.decisions.forge_choice import ForgeChoice, decide_forge
from parallel_workers.spec import ForgeKind


def choose_forge(
    asked: ForgeKind | None,
    remote_url: str | None,
    credentials: GitHubCredentials | None,
    environment: Mapping[str, str],
) -> ForgeChoice:
    """Where pull requests are to live, and why; nothing is contacted. `remote_url` is where git really goes.

    Raises:
        UsageError: github was asked for and cannot be used; it names the way out.
    """
    hosts = credentials.hosts if credentials is not None else find_hosts(GivenValues(), environment)
    address = parse_repository_url(remote_url) if remote_url else None
    is_github_remote = address is not None and is_on(address, hosts)
    return decide_forge(asked, is_github_remote=is_github_remote, has_credentials=credentials is not None)
