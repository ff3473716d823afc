"""Which repository a remote means, and whose credentials go where."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from parallel_workers.adapters.github.credentials import GitHubHosts, GivenValues, find_credentials, find_hosts
from parallel_workers.adapters.github.repository_url import is_on, parse_repository_url
from parallel_workers.errors import UsageError

_NOTHING = GivenValues()


@pytest.mark.parametrize(
    ("url", "host", "is_ssh"),
    [
        ("https://github.com/octo/project.git", "github.com", False),
        ("https://github.com/octo/project", "github.com", False),
        ("https://user:secret@GitHub.com:443/octo/project/", "github.com", False),
        ("http://127.0.0.1:8080/octo/project.git", "127.0.0.1:8080", False),
        ("git@github.com:octo/project.git", "github.com", True),
        ("github.com:octo/project", "github.com", True),
        ("ssh://git@github.com/octo/project.git", "github.com", True),
        ("ssh://git@ssh.github.com:443/octo/project.git", "github.com", True),
        ("git+ssh://git@ghe.example:2222/octo/project.git", "ghe.example", True),
    ],
)
def test_a_url_of_a_repository(url: str, host: str, *, is_ssh: bool) -> None:
    address = parse_repository_url(url)
    assert address is not None
    assert (address.host, address.full_name, address.is_ssh) == (host, "octo/project", is_ssh)


@pytest.mark.parametrize(
    "url",
    [
        *("/srv/git/project.git", "../project", "file:///srv/octo/project.git", "git://github.com/octo/project.git"),
        *("https://github.com/octo", "https://github.com/a/b/c", "https://github.com/../project", "ext::sh -c x"),
        *("https://github.com:port/octo/project", ""),
    ],
)
def test_what_is_no_repository_of_a_github(url: str) -> None:
    assert parse_repository_url(url) is None


def test_a_token_is_for_one_server() -> None:
    hosts = GitHubHosts()
    for url, expected in (
        ("https://github.com/o/p", True),
        ("git@github.com:o/p", True),
        ("https://github.com.evil.invalid/o/p", False),
        ("https://github.com:8443/o/p", False),
        ("http://github.com:80/o/p", True),
    ):
        address = parse_repository_url(url)
        assert address is not None
        assert is_on(address, hosts) is expected, url


def test_addresses_follow_from_one_another() -> None:
    assert find_hosts(_NOTHING, {}) == GitHubHosts()
    ghes = GitHubHosts(
        api_url="https://ghe.example/api/v3",
        graphql_url="https://ghe.example/api/graphql",
        server_url="https://ghe.example",
    )
    assert find_hosts(GivenValues(server_url="https://ghe.example/"), {}) == ghes
    assert find_hosts(GivenValues(api_url="https://ghe.example/api/v3"), {}) == ghes
    actions = {
        "GITHUB_API_URL": "https://ghe.example/api/v3",
        "GITHUB_GRAPHQL_URL": "https://ghe.example/api/graphql",
        "GITHUB_SERVER_URL": "https://ghe.example",
    }
    assert find_hosts(_NOTHING, actions) == ghes
    assert find_hosts(GivenValues(server_url="https://github.com"), actions) == GitHubHosts()
    cloud = find_hosts(GivenValues(server_url="https://octo.ghe.com"), {})
    assert (cloud.api_url, cloud.graphql_url) == ("https://api.octo.ghe.com", "https://api.octo.ghe.com/graphql")


def test_one_address_that_is_given_turns_those_of_the_host_off() -> None:
    actions = {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_GRAPHQL_URL": "https://api.github.com/graphql",
    }
    found = find_hosts(GivenValues(api_url="https://ghe.example/api/v3"), actions)
    assert found == find_hosts(GivenValues(server_url="https://ghe.example"), actions)
    assert found.server_url == "https://ghe.example"


@pytest.mark.parametrize(
    "url", ["http://ghe.example", "ftp://ghe.example", "ghe.example", "https://user:secret@ghe.example"]
)
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_hosts(GivenValues(server_url=url), {})
    assert "secret" not in str(caught.value)
    assert find_hosts(GivenValues(server_url="http://127.0.0.1:8080"), {}).server_host == "127.0.0.1:8080"


def test_what_was_given_goes_before_the_environment() -> None:
    environment = {"GITHUB_TOKEN": "ghp_one", "GH_TOKEN": "ghp_two"}
    found = find_credentials(_NOTHING, environment)
    assert found is not None
    assert found.token == SecretStr("ghp_one")
    found = find_credentials(GivenValues(token=SecretStr("ghp_block")), environment)
    assert found is not None
    assert found.token == SecretStr("ghp_block")
    assert find_credentials(_NOTHING, {"GITHUB_TOKEN": " "}) is None
    app = {"PARALLEL_WORKERS_GITHUB_APP_ID": "7", "PARALLEL_WORKERS_GITHUB_APP_KEY": "-----BEGIN\\nEND-----"}
    found = find_credentials(_NOTHING, app)
    assert found is not None
    assert found.app is not None
    assert found.app.private_key.get_secret_value() == "-----BEGIN\nEND-----"
    for half in ({"PARALLEL_WORKERS_GITHUB_APP_ID": "7"}, {"PARALLEL_WORKERS_GITHUB_APP_ID": "seven"}):
        with pytest.raises(UsageError):
            find_credentials(_NOTHING, half)


def test_nothing_prints_a_secret() -> None:
    given = GivenValues(token=SecretStr("ghp_hidden"), app_id=None)
    found = find_credentials(given, {})
    app = find_credentials(GivenValues(app_id=7, app_private_key=SecretStr("PEM hidden")), {})
    assert "hidden" not in f"{given!r} {found!r} {found} {app!r} {app}"
