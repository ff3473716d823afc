"""All pull requests of a repository: read from their refs, written as new commits on them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from parallel_workers.adapters.git.command import run_git
from parallel_workers.adapters.local_forge.host import Host
from parallel_workers.adapters.local_forge.objects import (
    CommitDraft,
    GitObject,
    Ident,
    ParsedCommit,
    make_commit,
    make_file_tree,
    make_pack,
    parse_commit,
)
from parallel_workers.adapters.local_forge.records import PullRecord, decode_record, encode_record, utc_text
from parallel_workers.adapters.local_forge.refs import (
    PullRefs,
    RefSnapshot,
    RefStore,
    RefUpdate,
    head_ref,
    meta_ref,
)
from parallel_workers.crash_points import reach
from parallel_workers.errors import ForgeError, GitCommandError

REPORT_FILE = "report.md"
"""The file in a meta commit's tree that holds the pull request's body."""

_NOBODY = "parallel-workers <parallel-workers@localhost>"


class Look(NamedTuple):
    """All pull requests and branches at one moment."""

    refs: RefSnapshot
    records: Mapping[int, PullRecord]


class PullChange(NamedTuple):
    """A pull request as it should be from now on. `former` is where its refs stand; None for a new one."""

    number: int
    record: PullRecord
    head: str
    former: PullRefs | None


class MoreWrites(NamedTuple):
    """Objects to store and refs to move together with a change of pull requests.

    `around` is entered when the objects are there and left when the refs are moved, or were not.
    """

    objects: tuple[GitObject, ...] = ()
    updates: tuple[RefUpdate, ...] = ()
    around: AbstractContextManager[None] = nullcontext()


NOTHING_MORE = MoreWrites()


class Ledger:
    """Reads and writes pull requests. Remembers what it read: a commit never changes. Safe for many threads."""

    def __init__(self, host: Host, store: RefStore) -> None:
        self._host = host
        self._store = store
        self._known: dict[str, PullRecord] = {}
        self._person: str | None = None

    def read(self) -> Look:
        """One look at everything: one process, and one more when there is something not seen before."""
        refs = self._store.read()
        unseen = [pull.meta for pull in refs.pulls.values() if pull.meta not in self._known]
        if unseen:
            self._store.bring(unseen)
            self._known.update((commit.sha, decode_record(commit)) for commit in self.read_commits(unseen))
        return Look(refs, {number: self._known[pull.meta] for number, pull in refs.pulls.items()})

    def read_commits(self, shas: Iterable[str]) -> tuple[ParsedCommit, ...]:
        """Commits by their full sha, in that order; one process."""
        asked = "".join(f"{sha}\n" for sha in shas)
        rest = self._host.git("cat-file", "--batch", stdin=asked).encode("utf-8", "surrogateescape")
        commits = []
        while rest:
            header, _, rest = rest.partition(b"\n")
            sha, kind, *size = header.decode().split()
            if kind != "commit":
                raise ForgeError(f"{self._host.place} lacks commit {sha}")
            content, rest = rest[: int(size[0])], rest[int(size[0]) + 1 :]
            commits.append(parse_commit(sha, content.decode("utf-8", "surrogateescape")))
        return tuple(commits)

    def write(self, changes: Sequence[PullChange], why: str, more: MoreWrites = NOTHING_MORE) -> list[PullRecord]:
        """Store objects and move refs, all or none; two processes. The records as they are now, in that order.

        Raises:
            LostRaceError: a ref is not where `former` or `more.updates` says.
        """
        objects, updates = list(more.objects), list(more.updates)
        committer, written = self.ident(), []
        described: dict[str, PullRecord] = {}
        for number, record, head, former in changes:
            if former is None or record != self._known.get(former.meta):
                made = _describe(record, head, former, committer)
                objects += made
                written.append(record._replace(updated_at=utc_text(committer.seconds)))
                described[made[-1].sha] = written[-1]
                updates.append(RefUpdate(meta_ref(number), made[-1].sha, former.meta if former else ""))
            else:
                written.append(record)
            if former is None or head != former.head:
                updates.append(RefUpdate(head_ref(number), head, former.head if former else ""))
        if objects:
            self._host.git("unpack-objects", "-q", stdin=make_pack(objects))
        reach("forge.objects-stored")
        if updates:
            with more.around:
                self._store.move(updates, why)
        self._known.update(described)
        return written

    def now(self) -> str:
        """The present, as records say it."""
        return utc_text(int(time.time()))

    def ident(self) -> Ident:
        """Who commits, and now: git's configured committer, or the product when none is configured."""
        if self._person is None:
            try:
                self._person = Ident(run_git(self._host.clone, "var", "GIT_COMMITTER_IDENT")).person
            except GitCommandError:
                self._person = _NOBODY
        return Ident(f"{self._person} {int(time.time())} +0000")


def _describe(record: PullRecord, like: str, former: PullRefs | None, committer: Ident) -> tuple[GitObject, ...]:
    """The objects of a meta commit, the commit last."""
    blob, tree = make_file_tree(REPORT_FILE, record.body.encode(), like)
    parents = (former.meta,) if former else ()
    commit = make_commit(CommitDraft(tree.sha, parents, committer, committer, encode_record(record)))
    return blob, tree, commit
