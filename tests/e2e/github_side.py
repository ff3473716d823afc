"""A repository on the fake GitHub, a clone of it, and the product's command at work there as on a real machine."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.conftest import Git
from tests.e2e.product import RUN, Ended, Product, finish, wait_until
from tests.fake_github.fixtures import running_fake_github
from tests.fake_github.repository import FakeRepository
from tests.fake_github.server import FakeGitHub
from tests.fake_github.values import Pull


@dataclass
class GitHubSide:
    """`clone` is what the batch file names; its remote is the private `repository`, which only `token` opens."""

    server: FakeGitHub
    repository: FakeRepository
    token: str
    clone: Path
    git: Git

    @property
    def environment(self) -> dict[str, str]:
        """As GitHub Actions, or a person with GitHub Enterprise, sets it."""
        return {
            "GITHUB_TOKEN": self.token,
            "GITHUB_SERVER_URL": self.server.url,
            "GITHUB_API_URL": self.server.api_url,
            "GITHUB_GRAPHQL_URL": self.server.graphql_url,
        }

    @contextmanager
    def running(self, product: Product, spec: Path) -> Iterator[subprocess.Popen[str]]:
        """`run SPEC --json` under way; killed where the test fails before its end."""
        engine = product.begin(*RUN, str(spec), **self.environment)
        try:
            yield engine
        finally:
            if engine.poll() is None:
                engine.kill()
                engine.communicate()

    def run(self, product: Product, spec: Path) -> Ended:
        """`run SPEC --json` to its end, which may be far away on a busy machine."""
        return finish(product.begin(*RUN, str(spec), **self.environment), 270)

    def pulls(self) -> list[Pull]:
        """Every pull request by number."""
        with self.server.world.lock:
            return [pull for _, pull in sorted(self.repository.pulls.items())]

    def wait_for(self, engine: subprocess.Popen[str], number: int) -> Pull:
        """The pull request once it is open; the test fails when the command ends before."""
        wait_until(lambda: len(self.pulls()) >= number or engine.poll() is not None, f"#{number} is opened")
        return self.repository.pull(number)

    def holds(self, branch: str, file: str) -> bool:
        """Whether a branch on the server has the file."""
        sha = self.repository.branches().get(branch)
        return sha is not None and self.repository.state.git.read(sha, file) is not None

    def merges(self) -> list[str]:
        """The merge commits on main."""
        bare = self.repository.state.git.path
        return self.git(bare, "log", "--first-parent", "--merges", "--format=%s", "main").splitlines()


@contextmanager
def github_side(folder: Path, git: Git, files: Mapping[str, str]) -> Iterator[GitHubSide]:
    """One for a test; it fails the test where something was asked that GitHub does not know, or a URL held a token."""
    source = folder / "source"
    source.mkdir()
    git(source, "init", "--quiet", "--initial-branch=main")
    for name, text in files.items():
        (source / name).write_text(text, encoding="utf-8")
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "chore: begin")
    with running_fake_github(folder) as server:
        repository = server.repository("octo/project", source)
        repository.make_private()
        server.faults.retry_after_seconds = 1
        clone = folder / "clone"
        git(folder, "clone", "--quiet", str(repository.state.git.path), str(clone))
        git(clone, "remote", "set-url", "origin", repository.clone_url)
        yield GitHubSide(server, repository, repository.give("worker"), clone, git)
        assert server.unknown_requests == []
        assert server.leaks() == []


@contextmanager
def beside(act: Callable[[threading.Event], None]) -> Iterator[None]:
    """While inside, `act` runs in a thread of its own; it ends when the event is set that it is given."""
    done = threading.Event()
    thread = threading.Thread(target=act, args=(done,))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def telling_at_once(product: Product) -> Iterator[None]:
    """While inside, the Prefect server is told each second that something moved, as by a webhook: it is looked at."""
    address = product.call("up", "--server-only").stdout.strip()

    def tell(done: threading.Event) -> None:
        while not done.wait(1.0):
            event = {
                "event": "parallel-workers.pull-request.moved",
                "occurred": datetime.now(UTC).isoformat(),
                "id": str(uuid.uuid4()),
                "resource": {"prefect.resource.id": "parallel-workers.repository.project"},
            }
            body, headers = json.dumps([event]).encode(), {"Content-Type": "application/json"}
            request = urllib.request.Request(f"{address}/api/events", body, headers)  # noqa: S310 - our own server
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    with beside(tell):
        yield
