"""A fake GitHub with a private repository, a clone without any credential in it, and forges on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr

from parallel_workers.adapters.github.credentials import GitHubCredentials, GivenValues, find_credentials
from parallel_workers.adapters.github.forge import GitHubForge, close_github, open_github_forge
from parallel_workers.adapters.github.pace import REAL_PACE, WatchPace
from parallel_workers.adapters.github.timing import REAL_TIME, Timing
from parallel_workers.pull_requests import PullRequestDraft
from tests.fake_github.fixtures import running_fake_github
from tests.fake_github.repository import FakeRepository
from tests.fake_github.server import FakeGitHub

Git = Callable[..., str]


@dataclass
class Clockwork:
    """Time that only moves when somebody sleeps, or the test says so. The fake's time moves with it."""

    server: FakeGitHub
    seconds: float
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        self.server.clock.advance(seconds)

    @property
    def timing(self) -> Timing:
        return Timing(self.now, self.sleep)


@dataclass
class GitHubWorld:
    """`repository` is the test's side; `forge()` opens one that has seen nothing yet."""

    server: FakeGitHub
    repository: FakeRepository
    clone: Path
    token: str
    git: Git

    @property
    def credentials(self) -> GitHubCredentials:
        found = find_credentials(GivenValues(server_url=self.server.url, token=SecretStr(self.token)), {})
        assert found is not None
        return found

    def forge(self, timing: Timing = REAL_TIME, pace: WatchPace = REAL_PACE) -> GitHubForge:
        close_github()
        url = self.repository.clone_url
        return open_github_forge(self.clone, url, self.credentials, pace=pace, timing=timing)

    def clockwork(self) -> Clockwork:
        return Clockwork(self.server, self.server.clock.seconds())

    def draft(self, name: str, files: dict[str, str] | None = None) -> PullRequestDraft:
        """A branch with a commit, pushed past the forge, and a draft for it."""
        branch = f"feature/{name}"
        self.git(self.clone, "checkout", "--quiet", "-B", branch, "main")
        for file, text in (files or {f"{name}.txt": f"{name}\n"}).items():
            (self.clone / file).write_text(text, encoding="utf-8")
        self.git(self.clone, "add", "--all")
        self.git(self.clone, "commit", "--quiet", "--message", f"feat: {name}")
        self.git(self.clone, "push", "--quiet", str(self.repository.state.git.path), branch)
        head = self.git(self.clone, "rev-parse", "HEAD")
        self.git(self.clone, "checkout", "--quiet", "main")
        return PullRequestDraft(f"worker-{name}", f"Do {name}", f"Report of {name}.", branch, head, "main")


@pytest.fixture
def github(tmp_path: Path, make_repository: Callable[..., Path], git: Git) -> Iterator[GitHubWorld]:
    """A world; at its end nothing unknown was asked for, and no credential was in a URL."""
    clone = make_repository(bare_remote=True)
    with running_fake_github(tmp_path) as server:
        repository = server.repository("octo/project", tmp_path / "repo.git")
        repository.make_private()
        git(clone, "remote", "set-url", "origin", repository.clone_url)
        yield GitHubWorld(server, repository, clone, repository.give("worker"), git)
        close_github()
        assert server.unknown_requests == []
        assert server.recordings.unknown_parameters == []
        assert server.leaks() == []
