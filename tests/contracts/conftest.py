"""The kinds of forge that the contract is held against. A new kind is one more entry in `_KINDS`."""

from __future__ import annotations

import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from parallel_workers.adapters.github.credentials import GivenValues, find_credentials
from parallel_workers.adapters.github.forge import close_github, open_github_forge
from parallel_workers.adapters.github.pace import WatchPace
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.ports import Forge
from parallel_workers.pull_requests import PullRequestDraft
from tests.fake_github.fixtures import running_fake_github

Git = Callable[..., str]


class Ways(NamedTuple):
    """In what forges may differ, each for a reason of its own that its users know."""

    notices_content: bool = True
    """A squash or rebase that a person makes with plain git is taken for the merge; GitHub only knows ancestry."""
    outlives_its_branch: bool = True
    """Deleting a branch, or setting it back to the base, leaves its pull request open; GitHub closes it."""
    skips_empty_merges: bool = True
    """What the base has already is merged without a commit; GitHub makes an empty one."""
    keeps_author_in_squash: bool = True
    """The author of a squash is the commits' author; on GitHub it is the account that opened the pull request."""


_ALL_WAYS = Ways()


@dataclass
class ForgeWorld:
    """A forge with a repository behind it: `clone` is where work is done, `hosted` is what is merged into."""

    git: Git
    clone: Path
    hosted: Path
    open_forge: Callable[[], Forge]
    forge: Forge
    ways: Ways = _ALL_WAYS

    def start(self, name: str, base: str = "main") -> Path:
        """A linked worktree with branch `feature/<name>` at the base."""
        worktree = self.clone.parent / "work" / name
        self.git(self.clone, "worktree", "add", "--quiet", "--no-track", "-b", f"feature/{name}", str(worktree), base)
        return worktree

    def commit(self, checkout: Path, files: dict[str, str], message: str = "feat: work") -> str:
        """Commit files there; the new sha."""
        for name, text in files.items():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_text(text, encoding="utf-8")
        self.git(checkout, "add", "--all")
        self.git(checkout, "commit", "--quiet", "--message", message)
        return self.git(checkout, "rev-parse", "HEAD")

    def publish(self, name: str, *, force: bool = False) -> None:
        """Push the branch to where the forge looks for it."""
        if self.hosted != self.clone:
            options = ["--force"] if force else []
            self.git(self.clone, "push", "--quiet", *options, str(self.hosted), f"feature/{name}")

    def withdraw(self, name: str) -> None:
        """Delete the branch where the forge looks for it."""
        if self.hosted == self.clone:
            self.git(self.hosted, "update-ref", "-d", f"refs/heads/feature/{name}")
        else:
            self.git(self.clone, "push", "--quiet", str(self.hosted), f":feature/{name}")

    def draft(self, name: str, *files: dict[str, str]) -> PullRequestDraft:
        """A branch with one commit for each of `files`, pushed, and a draft for it."""
        worktree = self.start(name)
        for number, some in enumerate(files or ({f"{name}.txt": f"{name}\n"},), 1):
            head = self.commit(worktree, some, f"feat: {name} {number}")
        self.publish(name)
        return PullRequestDraft(f"worker-{name}", f"Do {name}", f"Report of {name}.\n", f"feature/{name}", head, "main")

    def person(self) -> Path:
        """A checkout of the base in which a person works with plain git."""
        if self.hosted == self.clone:
            return self.clone
        checkout = self.clone.parent / "person"
        if not checkout.exists():
            self.git(self.clone.parent, "clone", "--quiet", str(self.hosted), str(checkout))
        self.git(checkout, "fetch", "--quiet", "origin", "+refs/heads/*:refs/heads/feature-copies/*")
        self.git(checkout, "pull", "--quiet", "--ff-only", "origin", "main")
        return checkout

    def person_publishes(self) -> None:
        """The person's base branch becomes the one that counts."""
        if self.hosted != self.clone:
            self.git(self.person(), "push", "--quiet", "origin", "main")

    def base_sha(self) -> str:
        """Where the base branch is."""
        return self.git(self.hosted, "rev-parse", "refs/heads/main")

    def base_file(self, name: str) -> str | None:
        """Text of a file in the base, without outer white space; None when it is not there."""
        listed = self.git(self.hosted, "ls-tree", "-r", "--name-only", "refs/heads/main").split("\n")
        return self.git(self.hosted, "show", f"refs/heads/main:{name}") if name in listed else None


class _DaemonForOneCall(socketserver.BaseRequestHandler):
    """Hands a connection to `git daemon --inetd`."""

    server: _GitServer

    def handle(self) -> None:
        command = ["git", "daemon", "--inetd", "--export-all", "--enable=receive-pack"]
        command.append(f"--base-path={self.server.folder}")
        subprocess.run(command, stdin=self.request, stdout=self.request, check=False)


class _GitServer(socketserver.ThreadingTCPServer):
    """git:// on a free port of the loopback interface."""

    daemon_threads = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(("127.0.0.1", 0), _DaemonForOneCall)


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the repositories in a folder; the URL of the folder."""
    with _GitServer(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"git://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _local(git: Git, clone: Path, hosted: Path) -> ForgeWorld:
    return ForgeWorld(git, clone, hosted, lambda: open_local_forge(clone), open_local_forge(clone))


@contextmanager
def _no_remote(clone: Path, remote: Path, git: Git) -> Iterator[ForgeWorld]:
    git(clone, "remote", "remove", "origin")
    yield _local(git, clone, clone)


@contextmanager
def _bare_remote(clone: Path, remote: Path, git: Git) -> Iterator[ForgeWorld]:
    yield _local(git, clone, remote)


@contextmanager
def _remote_by_url(clone: Path, remote: Path, git: Git) -> Iterator[ForgeWorld]:
    with serving(remote.parent) as url:
        git(clone, "remote", "set-url", "origin", f"{url}/{remote.name}")
        yield _local(git, clone, remote)


@contextmanager
def _github(clone: Path, remote: Path, git: Git) -> Iterator[ForgeWorld]:
    with running_fake_github(clone.parent) as server:
        repository = server.repository("octo/project", remote)
        repository.make_private()
        git(clone, "remote", "set-url", "origin", repository.clone_url)
        given = GivenValues(server_url=server.url, token=SecretStr(repository.give("worker")))
        credentials = find_credentials(given, {})
        assert credentials is not None

        def open_forge() -> Forge:
            # nothing of what another forge saw before is known to it
            close_github()
            return open_github_forge(clone, repository.clone_url, credentials, pace=WatchPace(settle_seconds=0))

        ways = Ways(
            notices_content=False, outlives_its_branch=False, skips_empty_merges=False, keeps_author_in_squash=False
        )
        yield ForgeWorld(git, clone, repository.state.git.path, open_forge, open_forge(), ways)
        close_github()
        assert server.unknown_requests == []
        assert server.recordings.unknown_parameters == []
        assert server.leaks() == []


_KINDS = {
    "local-no-remote": _no_remote,
    "local-bare-remote": _bare_remote,
    "local-remote-url": _remote_by_url,
    "github": _github,
}


@pytest.fixture(params=_KINDS)
def world(request: pytest.FixtureRequest, make_repository: Callable[..., Path], git: Git) -> Iterator[ForgeWorld]:
    """A world of each kind of forge in turn."""
    clone = make_repository(bare_remote=True)
    with _KINDS[request.param](clone, clone.parent / f"{clone.name}.git", git) as made:
        yield made
