"""A fake GitHub with one private repository, a worker's credential and clone, ready to be used by a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from github import Auth, Github
from github.PullRequest import PullRequest
from github.Repository import Repository

from tests.fake_github.repository import FakeRepository
from tests.fake_github.server import FakeGitHub

Git = Callable[..., str]


@dataclass
class Hub:
    """`repository` is the test's side, `remote` what PyGithub sees of it."""

    server: FakeGitHub
    repository: FakeRepository
    token: str
    client: Github
    clone: Path
    git: Git

    @property
    def remote(self) -> Repository:
        """The repository, by one request."""
        return self.client.get_repo("octo/project")

    def push(self, branch: str, files: dict[str, str] | None = None, *options: str, start: str = "main") -> str:
        """Commit files onto `start` as `branch` and push it; the sha."""
        self.git(self.clone, "checkout", "--quiet", "-B", branch, start)
        for name, text in (files or {f"{branch.rpartition('/')[2]}.txt": f"{branch}\n"}).items():
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            (self.clone / name).write_text(text, encoding="utf-8")
        self.git(self.clone, "add", "--all")
        self.git(self.clone, "commit", "--quiet", "--message", f"feat: {branch}")
        self.git(self.clone, "push", "--quiet", *options, "origin", branch)
        return self.git(self.clone, "rev-parse", "HEAD")

    def open(self, branch: str, files: dict[str, str] | None = None, *, start: str = "main") -> PullRequest:
        """Push a branch and open a pull request for it."""
        self.push(branch, files, start=start)
        return self.remote.create_pull(title=f"Do {branch}", body="How it was done.", head=branch, base="main")

    def known(self, number: int) -> PullRequest:
        """A pull request after GitHub has found out whether it can be merged."""
        self.remote.get_pull(number)
        return self.remote.get_pull(number)


def client_of(server: FakeGitHub, token: str) -> Github:
    """Real PyGithub without its own pauses and repeats."""
    auth = Auth.Token(token)
    return Github(
        auth=auth,
        base_url=server.api_url,
        per_page=100,
        retry=None,
        timeout=10,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def open_hub(server: FakeGitHub, folder: Path, git: Git) -> Hub:
    """A private repository with one commit on main and a clone whose credential is in the test's HOME."""
    source = folder / "source"
    source.mkdir()
    git(source, "init", "--quiet", "--initial-branch=main")
    (source / "README.md").write_text("# a project\n", encoding="utf-8")
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "chore: begin")
    repository = server.repository("octo/project", source)
    repository.make_private()
    token = repository.give("worker")
    git(folder, "config", "--global", "credential.helper", "store")
    written = Path.home() / ".git-credentials"
    written.write_text(f"http://x-access-token:{token}@{urlsplit(server.url).netloc}\n", encoding="utf-8")
    git(folder, "clone", "--quiet", repository.clone_url, "clone")
    return Hub(server, repository, token, client_of(server, token), folder / "clone", git)
