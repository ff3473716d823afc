"""Continuous integration of a fake repository: decided by a test's function of what was pushed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.fake_github.bare_git import BareGit
from tests.fake_github.clock import Clock

ACTIONS = "github-actions"


class PushedHead(NamedTuple):
    """The head of a pull request that was just pushed."""

    sha: str
    branch: str
    git: BareGit

    def read(self, path: str) -> str | None:
        """Text of a file in it, or None."""
        return self.git.read(self.sha, path)

    def files(self) -> list[str]:
        """Names of its files."""
        return self.git.files(self.sha)


class Annotation(NamedTuple):
    """What a check says of a line."""

    path: str
    line: int
    message: str


class CheckReport(NamedTuple):
    """What CI says of a head: in progress at once, and this conclusion after some seconds."""

    name: str
    conclusion: str = "success"
    after_seconds: float = 0.0
    log: str = ""
    summary: str = ""
    text: str = ""
    annotations: tuple[Annotation, ...] = ()
    app: str = ACTIONS
    """Only checks of GitHub Actions have a job and its log; others speak by summary, text and annotations."""
    workflow: str = ""
    """The workflow whose job it is; two of them may have jobs of the same name."""


Decide = Callable[[PushedHead], Iterable[CheckReport]]


class ContinuousIntegration:
    """Remembers which reports are due when. Has no thread: whoever looks next carries out what is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._decide: Decide | None = None
        self._due: list[tuple[float, str, CheckReport]] = []

    def decide_by(self, decide: Decide | None) -> None:
        """Ask this function about each pushed head of a pull request from now on; None for no CI."""
        self._decide = decide

    def start(self, head: PushedHead) -> list[CheckReport]:
        """Begin the checks of a head; answers them all, `take_due` answers those that are done."""
        reports = list(self._decide(head)) if self._decide else []
        now = self._clock.seconds()
        self._due += [(now + report.after_seconds, head.sha, report) for report in reports]
        return reports

    def take_due(self) -> list[tuple[str, CheckReport]]:
        """Reports that are done by now, each once, with the sha they are of."""
        now = self._clock.seconds()
        done = [(sha, report) for at, sha, report in self._due if at <= now]
        self._due = [entry for entry in self._due if entry[0] > now]
        return done
