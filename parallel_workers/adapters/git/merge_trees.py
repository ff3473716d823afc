"""Merging without a checkout, with a repository's objects but without its configuration.

A worker's worktree shares config and `info/attributes` with the repository, so an agent could name a program
there as merge driver, and the host's next merge would run it. A merge needs objects only: it is run from an
empty repository of its own that borrows them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from parallel_workers.adapters.git.command import run_git

_SHA256_LENGTH = 64
_CONFIG = {
    "sha1": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
    "sha256": "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n",
}


class ObjectStore(Protocol):
    """A repository as far as its objects go."""

    @property
    def git_dir(self) -> Path:
        """The git directory that holds the objects."""
        ...

    def git(self, *arguments: str, stdin: str | None = None) -> str:
        """Run git there; stdout without its last newline. Raises GitCommandError."""
        ...


class MergedTree(NamedTuple):
    """What merging two commits gives; `conflicts` are paths, and the tree holds markers when there are any."""

    tree: str
    conflicts: tuple[str, ...]


def merge_trees(store: ObjectStore, pairs: Iterable[tuple[str, str]]) -> tuple[MergedTree, ...]:
    """Merge each pair of commits, any number in one process."""
    asked = "".join(f"{ours} {theirs}\n" for ours, theirs in pairs)
    options = ("-z", "--name-only", "--no-messages", "--allow-unrelated-histories")
    fields = iter(_merge_tree_isolated(store.git_dir, *options, stdin=asked).split("\0"))
    merged = []
    # status, tree, the paths in conflict, then an empty field; repeated for each pair
    for status in fields:
        if not status.strip():
            continue
        tree = next(fields)
        merged.append(MergedTree(tree, tuple(iter(lambda: next(fields, ""), ""))))
    return tuple(merged)


def _merge_tree_isolated(git_dir: Path, *options: str, stdin: str) -> str:
    """`git merge-tree --stdin <options>` on the objects of `git_dir`; no driver, filter or setting of anybody applies.

    Raises:
        GitCommandError: git could not merge, for example because a commit is not there.
    """
    # the first object name of the input tells which hash the repository uses
    kind = "sha256" if len(stdin.split(maxsplit=1)[0]) == _SHA256_LENGTH else "sha1"
    environment = {
        "GIT_OBJECT_DIRECTORY": str(git_dir / "objects"),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
    }
    shallow = git_dir / "shallow"
    if shallow.exists():
        environment["GIT_SHALLOW_FILE"] = str(shallow)
    with tempfile.TemporaryDirectory(prefix="parallel-workers-merge-") as folder:
        empty = Path(folder)
        for name in ("objects", "refs"):
            (empty / name).mkdir()
        (empty / "HEAD").write_text("ref: refs/heads/none\n")
        (empty / "config").write_text(_CONFIG[kind])
        arguments = (f"--git-dir={empty}", "-c", "core.attributesFile=/dev/null", "merge-tree", "--stdin", *options)
        return run_git(empty, *arguments, stdin=stdin, env=environment)
