"""With a credential of ours git sends the headers it would send anyhow, without those that are a login."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from parallel_workers.adapters.git import command
from parallel_workers.adapters.git.clones import ensure_clone
from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.errors import GitCommandError, UntrustedConfigError
from tests.conftest import Git

LOGIN = "AUTHORIZATION: basic b2xk"
PROXY = "CF-Access-Client-Id: corp"


class Credential(NamedTuple):
    server_url: str

    def fetch_secret(self) -> str:
        return "secret"


class Listening(NamedTuple):
    """A server that has no repository: it notes the headers that no git and no curl sends of itself."""

    url: str
    seen: list[str]

    def take(self) -> list[str]:
        seen = list(self.seen)
        self.seen.clear()
        return seen


@pytest.fixture
def server() -> Iterator[Listening]:
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            own = ("authorization", "cf-", "x-")
            seen.extend(f"{name}: {value}" for name, value in self.headers.items() if name.lower().startswith(own))
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield Listening(f"http://127.0.0.1:{httpd.server_port}", seen)
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def _plain(git: Git, clone: Path, server: Listening) -> list[str]:
    with pytest.raises(AssertionError, match="not found"):
        git(clone, "ls-remote", "origin")
    return server.take()


def _with_credential(clone: Path, server: Listening, credential_for: str = "") -> list[str]:
    repository = open_repository(clone).with_credential(Credential(credential_for or server.url))
    with pytest.raises(GitCommandError, match="not found"):
        repository.fetch_base("main")
    # it may have asked twice: with the name of the branch, and for the list of them
    return list(dict.fromkeys(server.take()))


@pytest.mark.parametrize(
    ("settings", "logins"),
    [
        pytest.param([("local", "", PROXY)], 0, id="no login"),
        pytest.param([("local", "{}/", LOGIN)], 1, id="as actions/checkout leaves it"),
        pytest.param([("local", "", PROXY), ("local", "{}/", LOGIN)], 1, id="a general one before it"),
        pytest.param(
            [("global", "", PROXY), ("global", "", "X-More: 1"), ("local", "{}/", LOGIN)], 1, id="two of them"
        ),
        pytest.param([("local", "", PROXY), ("local", "{}/org/", LOGIN)], 1, id="a login for a longer URL"),
        pytest.param([("local", "", PROXY), ("local", "{}/org/y.git", LOGIN)], 1, id="a login for the very URL"),
        pytest.param([("local", "{}/org", "X-Org: 1"), ("local", "{}/org", LOGIN)], 1, id="one beside it"),
        pytest.param([("global", "{}/", LOGIN), ("local", "", PROXY)], 1, id="git drops a less close one after it"),
        pytest.param([("global", "", "X-Old: 1"), ("local", "", ""), ("local", "", LOGIN)], 1, id="an empty one"),
        pytest.param([("global", "{}/", LOGIN), ("local", "{}/org", "")], 0, id="a login that the user has dropped"),
        pytest.param([("local", "", PROXY), ("local", "{}/other", LOGIN)], 0, id="a login for another path"),
        pytest.param([("local", "", PROXY), ("local", "http://*.0.0.1/", LOGIN)], 0, id="a login for another port"),
        pytest.param(
            [("local", "", "authorization: Bearer x"), ("local", "", LOGIN), ("local", "", PROXY)], 2, id="two"
        ),
        pytest.param(
            [("local", "", 'X-Odd: "a\\b" = $c'), ("local", '{}/or"g', PROXY), ("local", "", LOGIN)], 1, id="odd"
        ),
    ],
)
def test_only_logins_are_left_out(
    clone: Path, server: Listening, git: Git, settings: list[tuple[str, str, str]], logins: int
) -> None:
    git(clone, "remote", "set-url", "origin", f"{server.url}/org/y.git")
    for scope, prefix, value in settings:
        key = f"http.{prefix.format(server.url)}.extraHeader" if prefix else "http.extraHeader"
        git(clone, "config", f"--{scope}", "--add", key, value)
    plain = _plain(git, clone, server)
    assert len([header for header in plain if header.lower().startswith("authorization")]) == logins

    others = [header for header in plain if not header.lower().startswith("authorization")]
    assert _with_credential(clone, server) == others


def test_a_clone_and_a_remote_that_insteadof_leads_to_the_server(
    clone: Path, server: Listening, git: Git, tmp_path: Path
) -> None:
    git(clone, "config", "--global", f"url.{server.url}/.insteadOf", "hub:")
    git(clone, "config", "--global", "http.extraHeader", PROXY)
    git(clone, "config", "--global", f"http.{server.url}/org.extraHeader", LOGIN)
    git(clone, "remote", "set-url", "origin", "hub:org/y.git")
    assert _plain(git, clone, server) == [PROXY, LOGIN]
    assert _with_credential(clone, server) == [PROXY]

    with pytest.raises(GitCommandError, match="not found"):
        ensure_clone("hub:org/y.git", tmp_path / "clones", Credential(server.url))
    assert server.take() == [PROXY]


def test_a_login_for_a_server_that_the_credential_is_not_for_stays(clone: Path, server: Listening, git: Git) -> None:
    git(clone, "remote", "set-url", "origin", f"{server.url}/org/y.git")
    git(clone, "config", "http.extraHeader", LOGIN)
    assert _with_credential(clone, server, "https://github.com") == [LOGIN]


def test_no_header_is_in_an_argument(clone: Path, server: Listening, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    run = command._execute

    def recorded(argv: list[str], environment: dict[str, str], *rest: object) -> object:
        seen.extend(argv)
        return run(argv, environment, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "_execute", recorded)
    git(clone, "remote", "set-url", "origin", f"{server.url}/org/y.git")
    git(clone, "config", "--add", "http.extraHeader", PROXY)
    git(clone, "config", "--add", "http.extraHeader", LOGIN)
    assert _with_credential(clone, server) == [PROXY]
    assert not any("corp" in argument or "b2xk" in argument for argument in seen)


def test_a_header_that_an_agent_added_is_refused(clone: Path, server: Listening, git: Git) -> None:
    git(clone, "remote", "set-url", "origin", f"{server.url}/org/y.git")
    git(clone, "config", "http.extraHeader", LOGIN)
    repository = open_repository(clone).with_credential(Credential(server.url))
    git(clone, "config", "--add", "http.extraHeader", "X-Planted: 1")
    with pytest.raises(UntrustedConfigError, match=r"http\.extraheader"):
        repository.fetch_base("main")
    assert server.take() == []
