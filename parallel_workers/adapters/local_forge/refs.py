"""Reading and moving refs where they live: in a repository on this machine, or behind git's transport."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from parallel_workers.adapters.local_forge.host import Host
from parallel_workers.errors import ForgeError, GitCommandError
from parallel_workers.identity import PULL_REF_PREFIX

BRANCH_REF_PREFIX = "refs/heads/"


class RefUpdate(NamedTuple):
    """Move `ref` from `old` to `new`; an empty `old` means that it must not exist yet."""

    ref: str
    new: str
    old: str


class PullRefs(NamedTuple):
    """The two refs of a pull request: its head commit, and the commit that describes it."""

    head: str
    meta: str


class RefSnapshot(NamedTuple):
    """All refs that matter, as of one look. `checkouts` says which branches are checked out, and where."""

    branches: Mapping[str, str]
    pulls: Mapping[int, PullRefs]
    checkouts: Mapping[str, Path]


class LostRaceError(ForgeError):
    """A ref was not where we saw it last: somebody else moved it. Look again and decide again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=True)


class CheckedOutError(ForgeError):
    """The remote refuses to move a branch that is checked out there."""


class MissingCommitError(ForgeError):
    """A commit is not in the repository that holds the pull requests."""

    def __init__(self, place: str, shas: Iterable[str]) -> None:
        super().__init__(f"{place} lacks {', '.join(shas)}: push first")


class RefStore(Protocol):
    """Refs with compare-and-swap."""

    def read(self) -> RefSnapshot:
        """One look at all branches and pull requests."""
        ...

    def bring(self, shas: Iterable[str]) -> None:
        """See to it that these commits are in the object store we work with.

        Raises:
            MissingCommitError: the remote has not got one of them either.
        """
        ...

    def move(self, updates: Sequence[RefUpdate], why: str) -> None:
        """Move all or none.

        Raises:
            LostRaceError: one of them was not where it was expected.
            CheckedOutError: a remote refuses because the branch is checked out there.
        """
        ...


def head_ref(number: int) -> str:
    """The ref that keeps a pull request's head commit."""
    return f"{PULL_REF_PREFIX}{number}/head"


def meta_ref(number: int) -> str:
    """The ref whose log is the pull request's history."""
    return f"{PULL_REF_PREFIX}{number}/meta"


def arrange(refs: Mapping[str, str], checkouts: Mapping[str, Path]) -> RefSnapshot:
    """Sort a plain listing of refs; a pull request of which only one ref was seen is not one yet."""
    branches: dict[str, str] = {}
    heads: dict[int, str] = {}
    metas: dict[int, str] = {}
    for ref, sha in refs.items():
        if ref.startswith(BRANCH_REF_PREFIX):
            branches[ref.removeprefix(BRANCH_REF_PREFIX)] = sha
        elif ref.startswith(PULL_REF_PREFIX):
            number, _, kind = ref.removeprefix(PULL_REF_PREFIX).partition("/")
            if number.isdigit() and kind in {"head", "meta"}:
                (heads if kind == "head" else metas)[int(number)] = sha
    pulls = {number: PullRefs(heads[number], metas[number]) for number in sorted(heads.keys() & metas.keys())}
    return RefSnapshot(branches, pulls, checkouts)


class LocalRefStore:
    """Refs of a repository on this machine, moved by ref transactions."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self) -> RefSnapshot:
        """See RefStore; one process."""
        layout = "--format=%(refname)%00%(objectname)%00%(worktreepath)%00"
        listed = self._host.git("for-each-ref", layout, BRANCH_REF_PREFIX, PULL_REF_PREFIX)
        refs, checkouts = {}, {}
        # the newline that ends an entry follows a NUL; one within a path does not
        for entry in f"{listed}\n".split("\0\n")[:-1]:
            ref, sha, checkout = entry.split("\0")
            refs[ref] = sha
            # git counts a bare repository as a checkout of its HEAD
            if checkout and Path(checkout) != self._host.git_dir:
                checkouts[ref.removeprefix(BRANCH_REF_PREFIX)] = Path(checkout)
        return arrange(refs, checkouts)

    def bring(self, shas: Iterable[str]) -> None:
        """See RefStore: objects and refs are in one place here."""

    def move(self, updates: Sequence[RefUpdate], why: str) -> None:
        """See RefStore; one process."""
        absent = "0" * len(updates[0].new)
        lines = [f"update {ref} {new} {old or absent}\n" for ref, new, old in updates]
        try:
            self._host.git("update-ref", "-m", f"parallel-workers: {why}", "--stdin", stdin="".join(lines))
        except GitCommandError as error:
            # a lock file in the way is no lost race: git has waited for it already
            if "cannot lock ref" in error.stderr and "Unable to create" not in error.stderr:
                raise LostRaceError(f"{why}: {error}") from error
            raise


class RemoteRefStore:
    """Refs behind a URL, moved by atomic pushes with a lease; objects are made in the clone and go along."""

    def __init__(self, host: Host, url: str) -> None:
        self._host = host
        self._url = url
        self._present: set[str] = set()

    def read(self) -> RefSnapshot:
        """See RefStore; one process and one connection. Branches checked out over there cannot be seen."""
        listed = self._host.git("ls-remote", self._url, f"{BRANCH_REF_PREFIX}*", f"{PULL_REF_PREFIX}*")
        pairs = (line.split("\t") for line in listed.split("\n") if line)
        return arrange({ref: sha for sha, ref in pairs}, {})

    def bring(self, shas: Iterable[str]) -> None:
        """See RefStore; no process when all were seen before, one when they are here, a fetch for the rest."""
        wanted = set(shas) - self._present
        if not wanted:
            return
        asked = "".join(f"{sha}\n" for sha in sorted(wanted))
        answers = self._host.git("cat-file", "--batch-check=%(objectname)", stdin=asked)
        missing = [line.split()[0] for line in answers.split("\n") if line.endswith(" missing")]
        if missing:
            # by name and without a place of their own here: FETCH_HEAD belongs to the user
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--stdin")
            try:
                self._host.git("fetch", *options, self._url, stdin="".join(f"{sha}\n" for sha in missing))
            except GitCommandError as error:
                if "not our ref" in error.stderr:
                    raise MissingCommitError(self._host.place, missing) from error
                raise
        self._present |= wanted

    def move(self, updates: Sequence[RefUpdate], why: str) -> None:
        """See RefStore; one push. The remote keeps no `why`: it is for the error."""
        leases = [f"--force-with-lease={ref}:{old}" for ref, _, old in updates]
        specs = [f"{new}:{ref}" for ref, new, _ in updates]
        try:
            self._host.git("push", "--quiet", "--porcelain", "--atomic", "--no-verify", *leases, self._url, *specs)
        except GitCommandError as error:
            raise _why_refused(error, why) from error
        self._present.update(new for _, new, _ in updates)


def _why_refused(error: GitCommandError, why: str) -> Exception:
    said = error.stdout + error.stderr
    if "checked out" in said:
        return CheckedOutError("the branch is checked out in the remote repository, which refuses to move it")
    if any(mark in said for mark in ("stale info", "cannot lock ref", "failed to update ref", "fetch first")):
        return LostRaceError(f"{why}: {error}")
    return error
