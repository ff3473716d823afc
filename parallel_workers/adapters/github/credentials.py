"""Who we are on GitHub, and where its servers are. Values only; nothing here is ever printed with a secret in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from parallel_workers.errors import UsageError
from parallel_workers.remote_urls import without_credentials
from parallel_workers.spec import Frozen

TOKEN_NAMES = ("GITHUB_TOKEN", "GH_TOKEN")
APP_ID_NAME = "PARALLEL_WORKERS_GITHUB_APP_ID"
APP_KEY_NAME = "PARALLEL_WORKERS_GITHUB_APP_KEY"
INSTALLATION_ID_NAME = "PARALLEL_WORKERS_GITHUB_INSTALLATION_ID"
"""The App's variables are ours; the key is the PEM text itself, line ends may be written as `\\n`."""

_PUBLIC_API = "https://api.github.com"
_PUBLIC_SERVER = "https://github.com"
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1", re.IGNORECASE)


class GitHubHosts(Frozen):
    """The three addresses that GitHub Actions sets too; plain http is for a server on this machine only.

    Raises:
        UsageError: an address that is no https URL, or GraphQL is on another host than the API.
    """

    api_url: str = _PUBLIC_API
    graphql_url: str = f"{_PUBLIC_API}/graphql"
    server_url: str = _PUBLIC_SERVER

    @model_validator(mode="after")
    def _checked(self) -> Self:
        for url in (self.api_url, self.graphql_url, self.server_url):
            _refuse_insecure(url)
        if urlsplit(self.api_url)[:2] != urlsplit(self.graphql_url)[:2]:
            raise UsageError(
                f"GitHub's GraphQL address {self.graphql_url} is on another host than its API {self.api_url}: "
                "set GITHUB_API_URL and GITHUB_GRAPHQL_URL (or the block's fields) to the same server"
            )
        return self

    @property
    def server_host(self) -> str:
        """Host (and port, unless the usual one) that people and git see."""
        return urlsplit(self.server_url).netloc.rpartition("@")[2].lower()

    @property
    def api_host(self) -> str:
        """Host (and port, unless the usual one) that answers the API."""
        return urlsplit(self.api_url).netloc.lower()

    @property
    def way_out(self) -> str:
        """What to do where a server leads to another one."""
        return f"the API is asked at {self.api_url}: set GITHUB_API_URL, or api_url in the block, to its own address"


class GitHubApp(Frozen):
    """A GitHub App that signs for itself; the installation is looked up when it is not given."""

    app_id: int
    private_key: SecretStr = Field(repr=False)
    installation_id: int | None = None


class GitHubCredentials(Frozen):
    """A token or an App, and the servers it is for."""

    hosts: GitHubHosts = Field(default_factory=GitHubHosts)
    token: SecretStr | None = Field(default=None, repr=False)
    app: GitHubApp | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.token is None) == (self.app is None):
            raise UsageError("GitHub credentials are either a token or an App's id and private key: give one of them")
        return self


class GivenValues(NamedTuple):
    """What a person filled in; '' and None where nothing. The environment stands in for what is missing."""

    api_url: str = ""
    graphql_url: str = ""
    server_url: str = ""
    token: SecretStr | None = None
    app_id: int | None = None
    app_private_key: SecretStr | None = None
    installation_id: int | None = None


def find_credentials(given: GivenValues, environment: Mapping[str, str]) -> GitHubCredentials | None:
    """Credentials from what was given, else from the host's environment; None when there are none.

    Addresses and identity are found apart: a block may name the server while the token comes from the environment.

    Raises:
        UsageError: only half of an App is given, a number is none, or an address is not usable.
    """
    hosts = find_hosts(given, environment)
    app = _app(given.app_id, given.app_private_key, given.installation_id, "the block")
    token = _filled(given.token)
    if app is None and token is None:
        token = _token_from(environment)
        app = None if token else _app_from(environment)
    if app is not None:
        return GitHubCredentials(hosts=hosts, app=app)
    return GitHubCredentials(hosts=hosts, token=token) if token else None


def find_hosts(given: GivenValues, environment: Mapping[str, str]) -> GitHubHosts:
    """The servers; from the one address that is known the others follow (https://HOST/api/v3, /api/graphql)."""
    # one address that was given is of a server of its own: the environment's may be of another
    known = environment if not (given.server_url or given.api_url or given.graphql_url) else {}
    server = (given.server_url or known.get("GITHUB_SERVER_URL", "")).rstrip("/")
    api = (given.api_url or known.get("GITHUB_API_URL", "")).rstrip("/")
    graphql = given.graphql_url or known.get("GITHUB_GRAPHQL_URL", "")
    server = server or (_server_of(api or graphql) if api or graphql else "")
    api = api or _api_of(server or _PUBLIC_SERVER)
    return GitHubHosts(
        api_url=api, graphql_url=graphql.rstrip("/") or _graphql_of(api), server_url=server or _server_of(api)
    )


def _api_of(server: str) -> str:
    parts = urlsplit(server)
    if parts.netloc == "github.com" or parts.netloc.endswith(".ghe.com"):
        return f"{parts.scheme}://api.{parts.netloc}"
    return f"{server}/api/v3"


def _graphql_of(api: str) -> str:
    return f"{api.removesuffix('/v3')}/graphql"


def _server_of(api: str) -> str:
    parts = urlsplit(api)
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"


def _filled(secret: SecretStr | None) -> SecretStr | None:
    return secret if secret is not None and secret.get_secret_value().strip() else None


def _token_from(environment: Mapping[str, str]) -> SecretStr | None:
    found = next((environment[name].strip() for name in TOKEN_NAMES if environment.get(name, "").strip()), "")
    return SecretStr(found) if found else None


def _app_from(environment: Mapping[str, str]) -> GitHubApp | None:
    numbers = [_number(environment, name) for name in (APP_ID_NAME, INSTALLATION_ID_NAME)]
    key = environment.get(APP_KEY_NAME, "").replace("\\n", "\n")
    return _app(numbers[0], SecretStr(key), numbers[1], f"{APP_ID_NAME} and {APP_KEY_NAME}")


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "").strip()
    if text and not text.isdecimal():
        raise UsageError(f"{name} must be a number")
    return int(text) if text else None


def _app(app_id: int | None, key: SecretStr | None, installation_id: int | None, source: str) -> GitHubApp | None:
    key = _filled(key)
    if app_id is None and key is None:
        return None
    if app_id is None or key is None:
        missing = "id" if app_id is None else "private key"
        raise UsageError(f"a GitHub App needs both its id and its private key: the {missing} is missing in {source}")
    return GitHubApp(app_id=app_id, private_key=key, installation_id=installation_id)


def _refuse_insecure(url: str) -> None:
    parts = urlsplit(url)
    shown = without_credentials(url)
    if parts.username or parts.password:
        raise UsageError(f"the address {shown} of GitHub holds credentials: give them as token or App instead")
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _LOOPBACK.fullmatch(parts.hostname or ""):
        return
    raise UsageError(f"{shown!r} is no https address of a GitHub server; plain http is only used on this machine")
