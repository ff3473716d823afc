"""GitHub Apps through PyGithub: JWT, installation, and tokens that expire."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github import Auth, Github, GithubException, GithubIntegration

from tests.fake_github.credentials import App
from tests.fake_github.hub import Git, Hub


def new_keys() -> tuple[str, str]:
    """PEM of a private key and of its public key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain, pem = serialization.NoEncryption(), serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


PRIVATE, PUBLIC = new_keys()


@pytest.fixture
def app(hub: Hub) -> App:
    return hub.server.app("robot", PUBLIC)


def integration(hub: Hub, app: App, key: str = PRIVATE) -> GithubIntegration:
    return GithubIntegration(
        auth=Auth.AppAuth(app.id, key),
        base_url=hub.server.api_url,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def test_an_installation_works_on_the_repository(hub: Hub, app: App, git: Git) -> None:
    with integration(hub, app) as asked:
        assert asked.get_app().slug == "robot"
        found = asked.get_repo_installation("octo", "project")
        client: Github = asked.get_github_for_installation(found.id)
    hub.push("feature/a")
    pull = client.get_repo("octo/project").create_pull(title="t", head="feature/a", base="main")
    assert (pull.user.login, pull.user.type) == ("robot[bot]", "Bot")
    with pytest.raises(GithubException, match="Resource not accessible by integration"):
        client.get_user().login  # noqa: B018 (reads it from the server)
    client.close()


def test_a_token_expires(hub: Hub, app: App) -> None:
    with integration(hub, app) as asked:
        token = asked.get_access_token(app.installation_id).token
    client = Github(auth=Auth.Token(token), base_url=hub.server.api_url, retry=None)
    client.get_repo("octo/project")
    hub.server.clock.advance(app.token_seconds + 1)
    with pytest.raises(GithubException, match="Bad credentials"):
        client.get_repo("octo/project")
    client.close()


def test_pygithub_renews_a_token_that_is_about_to_expire(hub: Hub, app: App) -> None:
    app.token_seconds = 10  # PyGithub renews 20 s before
    with integration(hub, app) as asked:
        client = asked.get_github_for_installation(app.installation_id)
    client.get_repo("octo/project")
    client.get_repo("octo/project")
    tokens = {
        request.authorization for request in hub.server.requests if request.authorization.startswith("token ghs_")
    }
    assert len(tokens) == 2
    client.close()


def test_an_installation_that_may_only_read(hub: Hub, app: App) -> None:
    hub.repository.state.permissions[app.bot.login] = "read"
    with integration(hub, app) as asked:
        client = asked.get_github_for_installation(app.installation_id)
    with pytest.raises(GithubException, match="Resource not accessible by integration"):
        client.get_repo("octo/project").create_label("x", "ededed")
    client.close()


def test_a_suspended_installation_gives_no_token(hub: Hub, app: App) -> None:
    app.is_suspended = True
    with integration(hub, app) as asked, pytest.raises(GithubException, match="suspended"):
        asked.get_access_token(app.installation_id)


def test_another_key_is_refused(hub: Hub, app: App) -> None:
    other, _ = new_keys()
    with integration(hub, app, other) as asked, pytest.raises(GithubException) as caught:
        asked.get_app()
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("begins", "ends", "told"), [(-700, -100, "Expiration"), (0, 3600, "too far"), (900, 950, "iat")]
)
def test_claims_are_held_against_the_clock(hub: Hub, app: App, begins: int, ends: int, told: str) -> None:
    now = int(hub.server.clock.seconds())
    token = jwt.encode({"iat": now + begins, "exp": now + ends, "iss": str(app.id)}, PRIVATE, algorithm="RS256")
    client = Github(auth=Auth.AppAuthToken(token), base_url=hub.server.api_url, retry=None)
    with pytest.raises(GithubException, match=told):
        client.requester.requestJsonAndCheck("GET", "/app")
    client.close()


def test_git_takes_an_installation_token(hub: Hub, app: App, git: Git) -> None:
    token, _ = hub.server.credentials.give_installation_token(app)
    host = hub.server.url.removeprefix("http://")
    sha = hub.push("feature/a")
    listed = git(
        hub.clone, "-c", "credential.helper=", "ls-remote", f"http://x-access-token:{token}@{host}/octo/project"
    )
    assert sha in listed
