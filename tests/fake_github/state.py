"""One repository of the fake: its git, settings and pull requests, and how pushes move them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import NamedTuple

from tests.fake_github.bare_git import BareGit
from tests.fake_github.ci import ContinuousIntegration
from tests.fake_github.clock import Clock
from tests.fake_github.values import (
    Account,
    CheckRun,
    Label,
    Milestone,
    Protection,
    Pull,
    Settings,
    Status,
)


class World(NamedTuple):
    """What all repositories of a server share."""

    clock: Clock
    ids: Iterator[int]
    lock: threading.RLock


def new_world() -> World:
    """A world in which nothing has happened."""
    return World(Clock(), itertools.count(1001), threading.RLock())


class RepositoryState:
    """A repository. Everything is read and changed under the world's lock."""

    def __init__(self, world: World, owner: Account, name: str, git: BareGit) -> None:
        self.world = world
        self.owner = owner
        self.name = name
        self.git = git
        self.id = next(world.ids)
        self.created_at = world.clock.stamp()
        self.pushed_at = self.created_at
        self.is_private = False
        self.settings = Settings()
        self.permissions: dict[str, str] = {owner.login: "admin"}
        self.concealed: set[str] = set()
        """Logins of members of the organisation who do not show that they are."""
        self.protections: dict[str, Protection] = {}
        self.pulls: dict[int, Pull] = {}
        self.pulls_by_node: dict[str, Pull] = {}
        self.labels: dict[str, Label] = {}
        self.milestones: dict[int, Milestone] = {}
        self.check_runs: dict[str, list[CheckRun]] = {}
        self.statuses: dict[str, list[Status]] = {}
        self.ci = ContinuousIntegration(world.clock)
        self.null_answers = 1
        """How many reads of a pull request say `mergeable: null` after each push."""
        self.base_modified_answers = 0
        """How many of the next merges are refused because the base is just being modified."""
        self.branches: dict[str, str] = git.branches()
        self.pushes_seen = 0
        self.list_lag_seconds = 0.0
        """How long lists do not show a new pull request."""
        self.default_branch = "main"
        self._numbers = itertools.count(1)

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner.login}/{self.name}"

    def next_number(self) -> int:
        """Number of the next pull request."""
        return next(self._numbers)

    def add(self, pull: Pull) -> None:
        """Keep a new pull request."""
        self.pulls[pull.number] = pull
        self.pulls_by_node[pull.node_id] = pull

    def open_pulls(self) -> list[Pull]:
        """Open pull requests by number."""
        return [pull for pull in self.pulls.values() if pull.state == "open"]

    def touch(self, pull: Pull) -> None:
        """Something about it changed that moves its `updated_at`."""
        pull.updated_at = self.world.clock.stamp()

    def permission_of(self, login: str) -> str:
        """'admin', 'write', 'read' or '' (nothing)."""
        return self.permissions.get(login, "" if self.is_private else "read")

    def association_of(self, account: Account) -> str:
        """What GitHub shows beside words of theirs. It neither means that they may push nor shows all who may."""
        if account == self.owner:
            return "OWNER"
        is_shown = account.kind != "Bot" and account.login not in self.concealed
        return "COLLABORATOR" if is_shown and account.login in self.permissions else "NONE"

    def checks_of(self, sha: str) -> list[CheckRun]:
        """Newest check run of each name, app and workflow."""
        found = self.check_runs.get(sha, [])
        return list({(run.name, run.report.app, run.report.workflow): run for run in found}.values())

    def statuses_of(self, sha: str) -> list[Status]:
        """Newest status of each context."""
        return list({status.context: status for status in self.statuses.get(sha, [])}.values())
