"""Refs that belong to one worktree (refs/worktree, refs/bisect, refs/rewritten): git deletes them along with it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from parallel_workers.adapters.git.layout import read_ref
from parallel_workers.adapters.git.opened import PUSHED_REF_PREFIX, OpenedRepository
from parallel_workers.identity import RESCUE_REF_PREFIX, WORKER_REF_PREFIX
from parallel_workers.worktree_contents import OwnRef

NO_KEEPERS = (RESCUE_REF_PREFIX, WORKER_REF_PREFIX, PUSHED_REF_PREFIX)
"""A rescue may be dropped, and may be the one that this removal has made; the others go with the worker."""
_OWN_PREFIXES = ("refs/worktree/", "refs/bisect/", "refs/rewritten/")


def find_own_refs(opened: OpenedRepository, git_dir: Path) -> tuple[OwnRef, ...]:
    """Those refs of the worktree with this git directory whose commits no other ref keeps."""
    files = (file for file in (git_dir / "refs").rglob("*") if file.is_file() and not file.is_symlink())
    shas = {
        name: sha for name in (str(file.relative_to(git_dir)) for file in files) if (sha := read_ref(git_dir, name))
    }
    commits = peel_commits(opened, shas.values())
    if not commits:
        return ()
    # not those of the main checkout either: they go as soon as its bisect or rebase ends
    no_keepers = (f"--exclude={prefix}*" for prefix in (*_OWN_PREFIXES, *NO_KEEPERS))
    others = ("--single-worktree", *no_keepers)
    asked = "".join(f"{sha}\n" for sha in commits.values())
    listed = set(opened.git("rev-list", "--stdin", "--not", *others, "--all", stdin=asked).split("\n"))
    return tuple(OwnRef(name, commits[sha]) for name, sha in sorted(shas.items()) if commits.get(sha) in listed)


def peel_commits(opened: OpenedRepository, shas: Iterable[str]) -> dict[str, str]:
    """The commit that each of `shas` is, or is a tag of; without those that are something else, or not there."""
    asked = list(dict.fromkeys(shas))
    if not asked:
        return {}
    layout = "--batch-check=%(objectname) %(objecttype)"
    answers = opened.git("cat-file", layout, stdin="".join(f"{sha}^{{}}\n" for sha in asked)).split("\n")
    found = (answer.split(" ") for answer in answers)
    return {sha: answer[0] for sha, answer in zip(asked, found, strict=True) if answer[1:] == ["commit"]}
