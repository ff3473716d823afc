"""The git commands that the fake runs in its bare repositories."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

HEADS = "refs/heads/"
ZERO = "0" * 40


class GitFailedError(Exception):
    """git ended with an error that the fake did not expect."""


class MergedTree(NamedTuple):
    """The tree of a merge; `conflicts` names the files that could not be merged."""

    tree: str
    conflicts: tuple[str, ...]


class BareGit:
    """A bare repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(path),
            "LC_ALL": "C",
        }

    def run(self, *arguments: str, stdin: str | None = None, identity: str = "GitHub") -> str:
        """Stdout of a git command. Raises GitFailedError."""
        done = self._try(*arguments, stdin=stdin, identity=identity)
        if done.returncode:
            raise GitFailedError(f"git {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def _try(
        self,
        *arguments: str,
        stdin: str | None = None,
        identity: str = "GitHub",
        author: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        who = {f"GIT_{role}_NAME": identity for role in ("AUTHOR", "COMMITTER")}
        mail = {f"GIT_{role}_EMAIL": f"{identity}@users.noreply.example.invalid" for role in ("AUTHOR", "COMMITTER")}
        return subprocess.run(
            ["git", *arguments],
            input=stdin,
            env=self._environment | who | mail | (author or {}),
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
        )

    def branches(self) -> dict[str, str]:
        """Sha of each branch."""
        listed = self.run("for-each-ref", "--format=%(objectname) %(refname)", HEADS)
        pairs = (line.split(" ", 1) for line in listed.splitlines())
        return {name.removeprefix(HEADS): sha for sha, name in pairs}

    def update_refs(self, lines: Iterable[str]) -> None:
        """One `update-ref --stdin` with these lines; all or none."""
        self.run("update-ref", "--stdin", stdin="".join(f"{line}\n" for line in lines))

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` contains `older`."""
        return self._try("merge-base", "--is-ancestor", older, newer).returncode == 0

    def fork_point(self, base: str, head: str) -> str:
        """Where the histories of two commits part; the base itself when they share none."""
        return self._try("merge-base", base, head).stdout.strip() or base

    def has(self, commit: str) -> bool:
        """Whether the commit is here."""
        return self._try("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0

    def commits(self, *revisions: str) -> list[str]:
        """Newest first."""
        return self.run("rev-list", *revisions).split()

    def tree_of(self, commit: str) -> str:
        """Sha of a commit's tree."""
        return self.run("rev-parse", f"{commit}^{{tree}}")

    def merge(self, ours: str, theirs: str) -> MergedTree:
        """Merge two commits in memory; all of it is a conflict when they share no history."""
        done = self._try("merge-tree", "--write-tree", "--name-only", "--no-messages", ours, theirs)
        if "unrelated histories" in done.stderr:
            return MergedTree("", ("?",))
        if done.returncode not in {0, 1}:
            raise GitFailedError(done.stderr)
        tree, *files = done.stdout.strip().splitlines()
        return MergedTree(tree, tuple(files) or ("?",) if done.returncode else ())

    def merge_many(self, pairs: Sequence[tuple[str, str]]) -> list[MergedTree]:
        """Many merges in one process; one by one when git cannot do all of them."""
        lines = "".join(f"{ours} {theirs}\n" for ours, theirs in pairs)
        options = ("--write-tree", "--stdin", "-z", "--name-only", "--no-messages")
        done = self._try("merge-tree", *options, stdin=lines)
        if done.returncode:
            return [self.merge(ours, theirs) for ours, theirs in pairs]
        words = iter(done.stdout.split("\0"))
        found = []
        for is_clean in itertools.takewhile(bool, words):
            tree = next(words)
            files = tuple(itertools.takewhile(bool, words))
            found.append(MergedTree(tree, () if is_clean == "1" else files))
        return found

    def commit(self, tree: str, parents: Iterable[str], message: str, identity: str = "GitHub") -> str:
        """Make a commit; its sha."""
        options = [word for parent in parents for word in ("-p", parent)]
        return self.run("commit-tree", tree, *options, stdin=message, identity=identity)

    def replay(self, commit: str, onto: str, identity: str) -> str | None:
        """Cherry-pick one commit; None on a conflict, `onto` itself when nothing is left of it.

        git 2.39 has no `merge-tree --merge-base`: a passing commit with `onto`'s tree and the commit's parent
        makes that parent the merge base.
        """
        parent = f"{commit}^"
        stand_in = self.commit(self.tree_of(onto), [parent], "stand-in")
        merged = self.merge(stand_in, commit)
        if merged.conflicts:
            return None
        if merged.tree == self.tree_of(onto):
            return onto
        name, mail, date, message = self.run("log", "-1", "--format=%an%x00%ae%x00%aD%x00%B", commit).split("\0")
        author = {"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail, "GIT_AUTHOR_DATE": date}
        done = self._try("commit-tree", merged.tree, "-p", onto, stdin=message, identity=identity, author=author)
        return done.stdout.strip()

    def read(self, commit: str, path: str) -> str | None:
        """Text of a file in a commit, or None."""
        done = self._try("show", f"{commit}:{path}")
        return None if done.returncode else done.stdout

    def files(self, commit: str) -> list[str]:
        """Names of all files in a commit."""
        return [name for name in self.run("ls-tree", "-r", "--name-only", "-z", commit).split("\0") if name]

    def copy(self, source: Path, target: Path) -> None:
        """A bare clone."""
        environment = {name: text for name, text in self._environment.items() if name != "GIT_DIR"}
        command = ["git", "clone", "--quiet", "--bare", "--no-hardlinks", str(source), str(target)]
        subprocess.run(command, env=environment, capture_output=True, check=True)
