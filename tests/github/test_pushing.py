"""git gets the forge's credential for one command, and it is nowhere that an agent or a log could show it."""

from __future__ import annotations

import os
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parallel_workers.adapters.git import command
from parallel_workers.adapters.git.askpass import answering, login_url
from parallel_workers.adapters.git.clones import ensure_clone
from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.adapters.github.forge import HostCredential
from parallel_workers.errors import GitCommandError

if TYPE_CHECKING:
    from tests.github.conftest import GitHubWorld

Git = Callable[..., str]


def _branch(github: GitHubWorld, git: Git, name: str) -> str:
    git(github.clone, "checkout", "--quiet", "-b", name, "main")
    git(github.clone, "commit", "--quiet", "--allow-empty", "--message", "feat: work")
    return git(github.clone, "rev-parse", "HEAD")


def test_fetch_and_push_of_a_private_repository(github: GitHubWorld, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    run = command._execute

    def recorded(argv: list[str], environment: dict[str, str], *rest: object) -> object:
        seen.extend([*argv, *environment.values()])
        return run(argv, environment, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "_execute", recorded)
    head = _branch(github, git, "feature/one")
    repository = open_repository(github.clone)
    with pytest.raises(GitCommandError, match=r"Authentication failed|could not read Username"):
        repository.push_branch("feature/one")
    repository = repository.with_credential(github.forge().git_credential)
    assert repository.fetch_base("main") == git(github.clone, "rev-parse", "main")
    assert repository.push_branch("feature/one") == head
    assert github.repository.branches()["feature/one"] == head
    assert not any(github.token in text for text in seen)
    kept = [path for path in github.clone.rglob("*") if path.is_file() and github.token.encode() in path.read_bytes()]
    assert kept == []


def test_what_a_push_lacks_is_named(github: GitHubWorld, git: Git) -> None:
    _branch(github, git, "feature/one")
    plain = open_repository(github.clone)
    with pytest.raises(GitCommandError, match=r"GITHUB_TOKEN.*Contents: write"):
        plain.push_branch("feature/one")
    github.token = github.repository.give("reader", "read")
    with pytest.raises(GitCommandError, match=r"no write access.*Contents: write.*repo"):
        plain.with_credential(github.forge().git_credential).push_branch("feature/one")
    github.token = "ghp_" + "0" * 36
    with pytest.raises(GitCommandError, match=r"wrong or has ended.*GITHUB_TOKEN.*Contents: write"):
        plain.with_credential(github.forge().git_credential).push_branch("feature/one")
    hook = github.repository.state.git.path / "hooks" / "update"
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    github.token = github.repository.give("worker")
    with pytest.raises(GitCommandError, match=r"hook declined"):
        plain.with_credential(github.forge().git_credential).push_branch("feature/one")


def test_a_user_name_in_the_remotes_url_is_not_in_the_way(github: GitHubWorld, git: Git) -> None:
    url = github.repository.clone_url.replace("://", "://octocat@")
    git(github.clone, "remote", "set-url", "origin", url)
    head = _branch(github, git, "feature/one")
    plain = open_repository(github.clone)
    repository = plain.with_credential(github.forge().git_credential)
    assert repository.push_branch("feature/one") == head
    assert repository.fetch_base("main") == git(github.clone, "rev-parse", "main")
    assert (repository.remote_url, repository.identity) == (url, plain.identity)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://octocat@GitHub.com/o/r.git", "https://github.com/o/r.git"),
        ("HTTPS://github.com:443/o/r.git", "https://github.com/o/r.git"),
        ("https://github.com:8443/o/r.git", "https://github.com:8443/o/r.git"),
        ("https://me@elsewhere.invalid/o/r.git", "https://me@elsewhere.invalid/o/r.git"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("/srv/r.git", "/srv/r.git"),
    ],
)
def test_only_urls_of_the_credentials_server_are_written_anew(url: str, asked: str) -> None:
    assert login_url(url, "https://github.com") == asked


def test_the_users_own_helper_is_neither_asked_nor_told(github: GitHubWorld, git: Git, tmp_path: Path) -> None:
    told = tmp_path / "told"
    git(github.clone, "config", "--global", "credential.helper", f"!f() {{ echo $1 >> '{told}'; cat >> '{told}'; }}; f")
    _branch(github, git, "feature/one")
    open_repository(github.clone).with_credential(github.forge().git_credential).push_branch("feature/one")
    assert not told.exists()


def test_a_header_that_a_workflows_checkout_left_is_not_sent(github: GitHubWorld, git: Git) -> None:
    """As actions/checkout writes it, with a token that may read alone."""
    reader = github.repository.give("reader", "read")
    basic = b64encode(f"x-access-token:{reader}".encode()).decode()
    header = f"AUTHORIZATION: basic {basic}"
    git(github.clone, "config", "--local", f"http.{github.server.url}/.extraheader", header)
    git(github.clone, "config", "--global", "http.extraHeader", header)
    git(github.clone, "config", "--global", f"http.{github.server.url}/octo.extraHeader", header)
    head = _branch(github, git, "feature/one")
    plain = open_repository(github.clone)
    with pytest.raises(GitCommandError, match="no write access"):
        plain.push_branch("feature/one")

    assert plain.with_credential(github.forge().git_credential).push_branch("feature/one") == head


def test_a_clone_by_url_holds_no_credential(github: GitHubWorld, git: Git, tmp_path: Path) -> None:
    credential = github.forge().git_credential
    made = ensure_clone(github.repository.clone_url, tmp_path / "clones", credential)
    assert (made / "README.md").exists()
    assert github.token not in (made / ".git" / "config").read_text()


def test_insteadof_of_the_user_is_followed(github: GitHubWorld, git: Git) -> None:
    git(github.clone, "config", "--global", f"url.{github.server.url}/.insteadOf", "hub:")
    git(github.clone, "remote", "set-url", "origin", "hub:octo/project.git")
    _branch(github, git, "feature/one")
    repository = open_repository(github.clone)
    assert repository.effective_remote_url == github.repository.clone_url
    repository.with_credential(github.forge().git_credential).push_branch("feature/one")
    assert "feature/one" in github.repository.branches()


def test_the_program_answers_for_its_server_only(github: GitHubWorld) -> None:
    credential = github.forge().git_credential
    assert isinstance(credential, HostCredential)
    host = github.server.url.removeprefix("http://")

    def ask(question: str) -> str:
        with answering(credential) as answer:
            assert github.token not in " ".join(answer.environment.values())
            environment = {"PATH": os.environ["PATH"], **answer.environment}
            argv = [answer.environment["GIT_ASKPASS"], question]
            done = subprocess.run(
                argv, env=environment, pass_fds=answer.inherited_fds, capture_output=True, text=True, check=False
            )
            return done.stdout.strip()

    assert ask(f"Username for 'http://{host}': ") == "x-access-token"
    assert ask(f"Password for 'http://x-access-token@{host}': ") == github.token
    for other in (
        "Password for 'http://x-access-token@evil.invalid': ",
        f"Password for 'http://x-access-token@{host}.evil.invalid': ",
        f"Password for 'https://x-access-token@{host}': ",
        f"Password for 'http://someone@{host}': ",
        f"Username for 'http://{host}0': ",
    ):
        assert ask(other) == ""
