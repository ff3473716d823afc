"""A GitHub App signs for itself, and one token is enough for all threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from flows import forge_credentials
from parallel_workers.adapters.github.credentials import GitHubCredentials, GivenValues, find_credentials
from parallel_workers.adapters.github.forge import GitHubForge, close_github, open_github_forge
from parallel_workers.adapters.github.timing import Timing
from parallel_workers.adapters.github.tokens import IssuedToken, TokenSource, fixed_token
from parallel_workers.errors import ForgeError, UsageError

if TYPE_CHECKING:
    from tests.github.conftest import GitHubWorld


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def _credentials(github: GitHubWorld, app_id: int, key: str) -> GitHubCredentials:
    found = find_credentials(
        GivenValues(server_url=github.server.url, app_id=app_id, app_private_key=SecretStr(key)), {}
    )
    assert found is not None
    return found


def _forge(github: GitHubWorld, credentials: GitHubCredentials) -> GitHubForge:
    close_github()
    return open_github_forge(github.clone, github.repository.clone_url, credentials)


def _tokens_made(github: GitHubWorld) -> int:
    return sum(one.target.endswith("/access_tokens") for one in github.server.requests)


def test_an_apps_key_and_tokens_are_secret(
    github: GitHubWorld, keys: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = github.server.app("workers", keys[1])
    monkeypatch.setenv("PARALLEL_WORKERS_GITHUB_APP_ID", str(app.id))
    monkeypatch.setenv("PARALLEL_WORKERS_GITHUB_APP_KEY", keys[0])
    monkeypatch.setattr(forge_credentials, "_block", None)
    for name in ("GITHUB_TOKEN", "GH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    forge = _forge(github, _credentials(github, app.id, keys[0]))
    forge.fetch_pull_requests()
    token = forge.git_credential.fetch_secret()
    assert {keys[0], token} <= set(forge_credentials.secret_values())


def test_ten_threads_take_one_token_and_a_new_one_before_it_ends(github: GitHubWorld, keys: tuple[str, str]) -> None:
    app = github.server.app("workers", keys[1])
    forge = _forge(github, _credentials(github, app.id, keys[0]))
    with ThreadPoolExecutor(10) as pool:
        seen = list(pool.map(lambda _: forge.fetch_pull_requests(), range(20)))
    assert seen == [()] * 20
    assert _tokens_made(github) == 1
    app.token_seconds = 200
    forge = _forge(github, _credentials(github, app.id, keys[0]))
    forge.fetch_pull_requests()
    before = _tokens_made(github)
    forge.fetch_pull_requests()
    assert _tokens_made(github) > before, "it would end before a push does"


def test_a_token_that_was_revoked_is_replaced(github: GitHubWorld, keys: tuple[str, str]) -> None:
    app = github.server.app("workers", keys[1])
    forge = _forge(github, _credentials(github, app.id, keys[0]))
    forge.fetch_pull_requests()
    github.server.credentials.revoke(forge.git_credential.fetch_secret())
    assert forge.fetch_pull_requests() == ()
    assert _tokens_made(github) == 2


def test_a_token_that_was_refused_to_several_threads_is_replaced_once(
    github: GitHubWorld, keys: tuple[str, str]
) -> None:
    app = github.server.app("workers", keys[1])
    forge = _forge(github, _credentials(github, app.id, keys[0]))
    forge.fetch_pull_requests()
    github.server.credentials.revoke(forge.git_credential.fetch_secret())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: forge.fetch_pull_requests(), range(8))) == [()] * 8
    assert _tokens_made(github) == 2


def test_whoever_is_refused_late_takes_the_new_token() -> None:
    numbers = iter(range(9))
    source = TokenSource(lambda: IssuedToken(SecretStr(f"token-{next(numbers)}"), 4e9), Timing())
    first = source.token
    assert [source.forget(first), source.forget(first)] == [True, True]
    assert source.token == "token-1"
    assert source.forget(first)
    assert source.token == "token-1"
    given = fixed_token(SecretStr("given"), Timing())
    assert not given.forget(given.token), "there is no other"


def test_pull_requests_are_opened_by_the_app(github: GitHubWorld, keys: tuple[str, str]) -> None:
    app = github.server.app("workers", keys[1])
    forge = _forge(github, _credentials(github, app.id, keys[0]))
    forge.ensure_pull_request(github.draft("one"))
    assert github.repository.pull(1).author.login == "workers[bot]"


def test_a_key_that_is_none_and_an_app_that_is_unknown_say_so(github: GitHubWorld, keys: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="no PEM key") as caught:
        _forge(github, _credentials(github, 1, "-----BEGIN secret"))
    assert "secret" not in str(caught.value)
    with pytest.raises(ForgeError, match="does not accept the token or App"):
        _forge(github, _credentials(github, 424242, keys[0]))
