"""Merging with the host's objects but without its configuration.

A worker's worktree shares config and `info/attributes` with the repository, so an agent could name a program
there as merge driver, and the host's next merge would run it. A merge needs objects only: it is run from an
empty repository of its own that borrows them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from parallel_workers.adapters.git.command import run_git
from parallel_workers.adapters.local_forge.host import Host

_SHA256_LENGTH = 64
_CONFIG = {
    "sha1": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
    "sha256": "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n",
}


def merge_tree_isolated(host: Host, *options: str, stdin: str) -> str:
    """`git merge-tree --stdin <options>` on the host's objects; no driver, filter or setting of anybody applies.

    Raises:
        GitCommandError: git could not merge, for example because a commit is not there.
    """
    # the first object name of the input tells which hash the repository uses
    kind = "sha256" if len(stdin.split(maxsplit=1)[0]) == _SHA256_LENGTH else "sha1"
    environment = {
        "GIT_OBJECT_DIRECTORY": str(host.git_dir / "objects"),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
    }
    shallow = host.git_dir / "shallow"
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
