"""The fake GitHub: a real HTTP server on the loopback interface with real git repositories behind it."""

from __future__ import annotations

import shutil
import threading
import time
import traceback
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from tests.fake_github.bare_git import BareGit
from tests.fake_github.connection import BrokenOff, Listener
from tests.fake_github.credentials import App, Credentials
from tests.fake_github.dispatch import Dispatcher
from tests.fake_github.faults import FaultKind, Faults
from tests.fake_github.faulty import after_doing, before_doing
from tests.fake_github.git_http import RawAnswer
from tests.fake_github.limits import Limits
from tests.fake_github.merging import settle_auto_merges
from tests.fake_github.pushes import HOOK, notice_pushes, take_in_refs
from tests.fake_github.recording import RecordedRequest, Recordings, Usage
from tests.fake_github.repository import FakeRepository
from tests.fake_github.secondary import SecondaryLimits
from tests.fake_github.state import RepositoryState, new_world
from tests.fake_github.tls import TlsFiles
from tests.fake_github.values import Account


class FakeGitHub:
    """Use it as a context manager; `folder` holds the bare repositories. With `tls` it speaks https."""

    def __init__(self, folder: Path, *, tls: TlsFiles | None = None) -> None:
        self.folder = folder
        self.tls = tls
        self.world = new_world()
        self.clock = self.world.clock
        self.accounts: dict[str, Account] = {}
        self.repositories: dict[str, RepositoryState] = {}
        self.renamed: dict[str, RepositoryState] = {}
        """Repositories by the names they had before."""
        self.credentials = Credentials(self.clock)
        self.limits = Limits(self.clock)
        self.secondary = SecondaryLimits(self.clock)
        self.faults = Faults()
        self.unanswerable: set[str] = set()
        """Node ids that make every GraphQL query fail in which they are named, as happens in life."""
        self.usage = Usage()
        self.recordings = Recordings()
        self._listener = Listener(self, tls.context() if tls else None)
        self._thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.02})
        self._dispatcher = Dispatcher(self)

    def __enter__(self) -> FakeGitHub:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown()
        self._listener.end_connections()
        self._listener.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where people look (`GITHUB_SERVER_URL`); repositories are cloned from `<url>/<owner>/<name>.git`."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._listener.server_address[1]}"

    @property
    def api_url(self) -> str:
        """`GITHUB_API_URL`, PyGithub's `base_url`."""
        return f"{self.url}/api/v3"

    @property
    def graphql_url(self) -> str:
        """`GITHUB_GRAPHQL_URL`."""
        return f"{self.url}/api/graphql"

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, git's included."""
        return self.recordings.requests

    @property
    def unknown_requests(self) -> list[str]:
        """Requests to what the fake does not serve."""
        return self.recordings.unknown_requests

    def account(self, login: str, kind: str = "User") -> Account:
        """The account of this name, made when there is none."""
        with self.world.lock:
            known = self.accounts.get(login.lower())
            return known or self.accounts.setdefault(login.lower(), Account(next(self.world.ids), login, kind))

    def token(self, login: str) -> str:
        """A new personal access token of this user."""
        return self.credentials.give_token(self.account(login))

    def app(self, slug: str, public_key: str) -> App:
        """A GitHub App that is installed for all repositories, with the PEM of its public key."""
        with self.world.lock:
            numbers = (next(self.world.ids), next(self.world.ids))
            bot = self.account(f"{slug}[bot]", "Bot")
            app = App(numbers[0], slug, self.account("app-owner"), bot, public_key, numbers[1], self.clock.stamp())
            self.credentials.apps[app.id] = app
            for repository in self.repositories.values():
                repository.permissions[bot.login] = "write"
            return app

    def repository(self, full_name: str = "octo/project", source: Path | None = None) -> FakeRepository:
        """A new repository, empty or a bare copy of `source`."""
        owner, name = full_name.split("/")
        path = self.folder / owner / f"{name}.git"
        path.parent.mkdir(parents=True, exist_ok=True)
        git = BareGit(path)
        if source is None:
            path.mkdir()
            git.run("init", "--quiet", "--bare", "--initial-branch=main")
        else:
            git_source = BareGit(path.parent)
            git_source.copy(source, path)
        for key, text in {"receive.hideRefs": "refs/pull", "http.receivepack": "true", "gc.auto": "0"}.items():
            git.run("config", key, text)
        shutil.rmtree(path / "hooks", ignore_errors=True)
        hook = path / "hooks" / "post-receive"
        hook.parent.mkdir()
        hook.write_text(HOOK, encoding="utf-8")
        hook.chmod(0o755)
        state = RepositoryState(self.world, self.account(owner), name, git)
        state.permissions |= {app.bot.login: "write" for app in self.credentials.apps.values()}
        self.repositories[full_name.lower()] = state
        return FakeRepository(self, state)

    def leaks(self) -> list[str]:
        """Requests so far with a credential in their URL."""
        secrets = self.credentials.given
        return [one.target for one in self.requests if any(secret in one.target for secret in secrets)]

    def rename(self, state: RepositoryState, name: str) -> None:
        """Give a repository a new name; the old one redirects from now on."""
        with self.world.lock:
            old = state.full_name.lower()
            self.renamed[old] = self.repositories.pop(old)
            state.name = name
            self.repositories[state.full_name.lower()] = state

    def refresh(self, state: RepositoryState) -> None:
        """Take in pushes, finished CI and auto-merges that are due."""
        with self.world.lock:
            notice_pushes(state)
            settle_auto_merges(state)

    def look_at_refs(self, state: RepositoryState) -> None:
        """Take in refs that were changed without a push."""
        with self.world.lock:
            take_in_refs(state)
            self.refresh(state)

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> RawAnswer:
        """Answer one request. Raises BrokenOff when a fault says so."""
        parts = urlsplit(target)
        with self.world.lock:
            self.requests.append(RecordedRequest(method, target, headers, body, time.monotonic()))
            fault = self.faults.choose(method, parts.path)
        try:
            answer = before_doing(self.faults, fault)
            if answer is None:
                answer = self._dispatcher.answer(method, parts, headers, body)
                if fault is FaultKind.DUPLICATE:
                    answer = self._dispatcher.answer(method, parts, headers, body)
                answer = after_doing(fault, answer)
        except BrokenOff:
            raise
        except Exception:  # noqa: BLE001 (its own mistakes must fail the test, not end a thread silently)
            self.recordings.failures.append(f"{method} {target}\n{traceback.format_exc()}")
            return RawAnswer(500, {"Content-Type": "text/plain"}, traceback.format_exc().encode())
        return answer
