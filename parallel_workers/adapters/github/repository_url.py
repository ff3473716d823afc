"""Which repository on GitHub a remote's URL means. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from parallel_workers.adapters.github.credentials import GitHubHosts

_SCP_LIKE = re.compile(r"(?:[^/@\s]+@)?(?P<host>\[[0-9a-f:]+\]|[^/:@\s]+):(?!//)(?P<path>.+)", re.IGNORECASE)
_PATH = re.compile(r"(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)")
_USUAL_PORTS = {"https": 443, "http": 80, "ssh": 22, "git+ssh": 22}
# GitHub takes ssh on port 443 under another name where 22 is closed
# (https://docs.github.com/en/authentication/troubleshooting-ssh/using-ssh-over-the-https-port)
_SSH_NAMES = {"ssh.github.com": "github.com"}


class RepositoryAddress(NamedTuple):
    """`owner/name` on a host; the host has a port only when it is not the usual one of an http address."""

    host: str
    owner: str
    name: str
    is_ssh: bool

    @property
    def full_name(self) -> str:
        """`owner/name`, as GitHub's API takes it."""
        return f"{self.owner}/{self.name}"


def parse_repository_url(url: str) -> RepositoryAddress | None:
    """What `https://`, `ssh://` and `user@host:path` mean; None for paths and whatever has no owner and name.

    The URL is the one git goes to: `insteadOf` has been applied.
    """
    if "://" in url:
        return _from_url(url)
    match = _SCP_LIKE.fullmatch(url)
    return _address(match["host"], match["path"], is_ssh=True) if match else None


def is_on(address: RepositoryAddress, hosts: GitHubHosts) -> bool:
    """Whether these credentials are for the repository's server: a token goes nowhere else."""
    if address.is_ssh:
        # the port of ssh says nothing about the port of the API
        return address.host == hosts.server_host.partition(":")[0]
    return address.host == hosts.server_host


def _from_url(url: str) -> RepositoryAddress | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _USUAL_PORTS or not parts.hostname:
        return None
    is_ssh = scheme.endswith("ssh")
    suffix = f":{port}" if port and port != _USUAL_PORTS[scheme] and not is_ssh else ""
    return _address(f"{parts.hostname}{suffix}", unquote(parts.path), is_ssh=is_ssh)


def _address(host: str, path: str, *, is_ssh: bool) -> RepositoryAddress | None:
    match = _PATH.fullmatch(path.strip("/").removesuffix(".git"))
    if match is None or {match["owner"], match["name"]} & {".", ".."}:
        return None
    host = host.lower()
    return RepositoryAddress(_SSH_NAMES.get(host, host), match["owner"], match["name"], is_ssh)
