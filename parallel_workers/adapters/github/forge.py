"""The forge `github`: everything behind the `Forge` port, for one repository and one credential."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from parallel_workers.adapters.git.askpass import GitCredential
from parallel_workers.adapters.github.api import RepositoryApi
from parallel_workers.adapters.github.asking import HumanAsker
from parallel_workers.adapters.github.check_logs import fetch_check_log
from parallel_workers.adapters.github.connection import Connection
from parallel_workers.adapters.github.connections import close_connections, open_connection
from parallel_workers.adapters.github.credentials import GitHubCredentials
from parallel_workers.adapters.github.dressing import Dresser
from parallel_workers.adapters.github.labels import Labels
from parallel_workers.adapters.github.landing import Landings
from parallel_workers.adapters.github.merging import Merger
from parallel_workers.adapters.github.opening import Opener
from parallel_workers.adapters.github.pace import REAL_PACE, WatchPace
from parallel_workers.adapters.github.repository_url import is_on, parse_repository_url
from parallel_workers.adapters.github.timing import REAL_TIME, Timing
from parallel_workers.adapters.github.watching import Watcher
from parallel_workers.errors import UsageError
from parallel_workers.pull_request_snapshots import Check, PullRequestSnapshot
from parallel_workers.pull_requests import MergeAttempt, PullRequest, PullRequestDraft
from parallel_workers.remote_urls import without_credentials
from parallel_workers.spec import MergeMethod


class HostCredential(NamedTuple):
    """The forge's credential as git takes it; see `adapters.git.askpass.GitCredential`."""

    connection: Connection

    @property
    def server_url(self) -> str:
        """The server that people and git see."""
        return self.connection.hosts.server_url

    def fetch_secret(self) -> str:
        """The token of the moment: an installation's is renewed when it soon ends. Raises ForgeError."""
        return self.connection.token


class GitHubForge:
    """Pull requests on GitHub; implements `ports.Forge`. Safe for many threads."""

    def __init__(self, api: RepositoryApi, watcher: Watcher, landings: Landings) -> None:
        self._api = api
        self._watcher = watcher
        self._landings = landings
        labels = Labels(api)
        self._opener = Opener(api, Dresser(api, labels))
        self._merger = Merger(api, watcher, landings.find_conflicts)
        self._asker = HumanAsker(api, labels)

    @property
    def place(self) -> str:
        """`owner/name` of the repository that holds the pull requests."""
        return self._api.place

    @property
    def git_credential(self) -> GitCredential:
        """For `open_repository(path).with_credential(...)`: fetches and pushes carry the forge's credential."""
        return HostCredential(self._api.connection)

    def ensure_pull_request(self, draft: PullRequestDraft) -> PullRequest:
        """See ports.Forge. One that a person closed does not stand in the way of a new one."""
        return self._watcher.take_in(self._opener.ensure(draft))

    def fetch_pull_request(self, number: int) -> PullRequest:
        """See ports.Forge; one request."""
        return self._watcher.fetch(number)

    def fetch_pull_requests(self, *, include_ended: bool = False) -> tuple[PullRequest, ...]:
        """See ports.Forge; by number. A page for each hundred the first time, then one for what moved."""
        return self._watcher.fetch_all(include_ended=include_ended)

    def find_pull_requests(self, worker: str, head_branch: str) -> tuple[PullRequest, ...]:
        """See ports.Forge; one request."""
        listed = self._opener.list_of_branch(head_branch)
        found = sorted((self._watcher.take_in(pull) for pull in listed), key=lambda one: one.number)
        return tuple(one for one in found if one.worker == worker)

    def look(self, numbers: Collection[int], *, at_once: bool = False) -> Mapping[int, PullRequestSnapshot]:
        """See ports.Forge, and `pace` for what it costs."""
        return self._watcher.look(numbers, at_once=at_once)

    def waits_for_forge(self) -> str:
        """See ports.Forge."""
        return self._api.connection.limiter.waits()

    def hindrance(self) -> str:
        """See ports.Forge."""
        return self._api.connection.limiter.slowed() or self._watcher.trouble()

    def merge_pull_request(self, number: int, method: MergeMethod, head_sha: str | None = None) -> MergeAttempt:
        """See ports.Forge. Without `head_sha` it merges the head that was seen last: WAIT when it has moved since."""
        return self._merger.merge(number, method, head_sha)

    def enable_auto_merge(self, number: int, method: MergeMethod, head_sha: str) -> str:
        """See ports.Forge."""
        return self._merger.enable_auto_merge(number, method, head_sha)

    def disable_auto_merge(self, number: int) -> str:
        """See ports.Forge."""
        return self._merger.disable_auto_merge(number)

    def update_branch(self, number: int, head_sha: str) -> str:
        """See ports.Forge."""
        return self._merger.update_branch(number, head_sha)

    def fetch_check_log(self, check: Check, max_chars: int) -> str:
        """See ports.Forge."""
        return fetch_check_log(self._api, check, max_chars)

    def ask_for_human(self, number: int, text: str) -> None:
        """See ports.Forge."""
        self._asker.ask(number, text)
        self._watcher.fetch(number)

    def close_pull_request(self, number: int, reason: str = "") -> PullRequest:
        """See ports.Forge. One that has ended already is answered as it is."""
        return self._merger.close(number, reason)

    def is_content_in_base(self, pull_request: PullRequest) -> bool:
        """See ports.Forge; fetches the base with git."""
        return self._landings.is_in_base(pull_request)


_watchers: dict[tuple[Connection, str], tuple[RepositoryApi, Watcher]] = {}
_opening = threading.Lock()


def open_github_forge(
    repository: Path,
    remote_url: str,
    credentials: GitHubCredentials,
    *,
    pace: WatchPace = REAL_PACE,
    timing: Timing = REAL_TIME,
) -> GitHubForge:
    """The forge of the clone at `repository`, whose remote is at `remote_url` (after `insteadOf`).

    All forges of a repository and credential share one watcher, and all of a credential one limiter and breaker.

    Raises:
        UsageError: the remote is not on the server that the credentials are for.
        ForgeError: the App is not installed there, or GitHub cannot be reached.
    """
    address = parse_repository_url(remote_url)
    if address is None or not is_on(address, credentials.hosts):
        shown, host = without_credentials(remote_url), credentials.hosts.server_host
        raise UsageError(
            f"the remote {shown} is no repository on {host}, which the GitHub credentials are for; "
            "for another server set GITHUB_SERVER_URL, or server_url in the forge block"
        )
    connection = open_connection(credentials, address.full_name, timing)
    with _opening:
        key = (connection, address.full_name.lower())
        if key not in _watchers:
            api = RepositoryApi(connection, address.full_name)
            _watchers[key] = api, Watcher(api, pace)
        api, watcher = _watchers[key]
    return GitHubForge(api, watcher, Landings(repository, HostCredential(connection)))


def close_github() -> None:
    """Close every connection and forget what was seen; for the end of a process, and of a test."""
    with _opening:
        _watchers.clear()
    close_connections()
