"""What keeps commits in one worktree alone: refs of its own, and the reflog of its HEAD. git deletes both with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from parallel_workers.adapters.git.layout import BRANCHES, LinkedWorktree, Move, read_log, read_moves, read_ref
from parallel_workers.adapters.git.opened import PUSHED_REF_PREFIX, OpenedRepository
from parallel_workers.identity import RESCUE_REF_PREFIX, WORKER_REF_PREFIX
from parallel_workers.worktree_contents import OwnRef

_OWN_PREFIXES = ("refs/worktree/", "refs/bisect/", "refs/rewritten/")
NO_KEEPERS = (RESCUE_REF_PREFIX, WORKER_REF_PREFIX, PUSHED_REF_PREFIX, *_OWN_PREFIXES)
"""A rescue may be dropped, and may be the one that this removal has made; the next two go with the worker, and those of
the main checkout as soon as its bisect or rebase ends."""
_OTHERS = ("--single-worktree", *(f"--exclude={prefix}*" for prefix in NO_KEEPERS), "--all")
_REBASE = r"(?:rebase|pull\b.*?) "
_COPY = re.compile(_REBASE + r"\((?:pick|reword|edit|squash|fixup|merge)\): ")
"""What is added to a commit by hand is told as `commit`, and as `(continue)` when a conflict was solved."""
_BACK = re.compile(_REBASE + r"\(reset\): ")
_GOES_ON = re.compile(r"rebase\b|pull\b|commit\b")


def find_own_refs(opened: OpenedRepository, git_dir: Path) -> tuple[OwnRef, ...]:
    """Those refs of the worktree with this git directory whose commits no other ref keeps."""
    files = (file for file in (git_dir / "refs").rglob("*") if file.is_file() and not file.is_symlink())
    shas = {
        name: sha for name in (str(file.relative_to(git_dir)) for file in files) if (sha := read_ref(git_dir, name))
    }
    commits = peel_commits(opened, shas.values())
    if not commits:
        return ()
    asked = "".join(f"{sha}\n" for sha in commits.values())
    listed = set(opened.git("rev-list", "--stdin", "--not", *_OTHERS, stdin=asked).split("\n"))
    return tuple(OwnRef(name, commits[sha]) for name, sha in sorted(shas.items()) if commits.get(sha) in listed)


def find_left_behind(opened: OpenedRepository, linked: LinkedWorktree, head_sha: str | None) -> tuple[OwnRef, ...]:
    """Commits that HEAD was at and that nothing but its reflog keeps, such as those made while it was detached.

    What an amend or a rebase of a branch replaced does not count: the branch's own reflog has it. Nor do the copies
    that a rebase made on its way. No process when there is nothing else.
    """
    log = linked.admin / "logs" / "HEAD"
    branches = (opened.common_dir / "logs" / BRANCHES).rglob("*")
    known = {head_sha, *(sha for file in branches if file.is_file() for sha in read_log(file))}
    # as git counts them: 0 is the newest
    been = {sha: f"HEAD@{{{number}}}" for number, sha in enumerate(reversed(read_log(log)))}
    commits = peel_commits(opened, been.keys() - known - _find_copies(read_moves(log)))
    if not commits:
        return ()
    asked = "".join(f"{sha}\n" for sha in commits)
    kept = [f"^{sha}" for sha in peel_commits(opened, filter(None, known))]
    listed = opened.git("rev-list", "--parents", "--stdin", "--not", *_OTHERS, *kept, stdin=asked).split("\n")
    parents = {parent for line in listed for parent in line.split(" ")[1:]}
    newest = [sha for sha in (line.split(" ")[0] for line in listed) if sha in commits and sha not in parents]
    return tuple(OwnRef(been[sha], sha) for sha in newest)


def _find_copies(moves: tuple[Move, ...]) -> frozenset[str]:
    """Commits that a rebase made of others, and that it or a commit went on from: HEAD never rested at them.

    With `rebase --apply` git tells a solved conflict like any copy. One that was given up by `--abort` is not seen.
    """
    # a `reset` to where HEAD is, or the like, is no rest
    moves = tuple(move for move in moves if move.old != move.new or re.match(_REBASE, move.message))
    copies: set[str] = set()
    rests: set[str] = set()
    for move, following in zip(moves, (*moves[1:], None), strict=True):
        if _COPY.match(move.message) and following is not None and _GOES_ON.match(following.message):
            copies.add(move.new)
        elif not _BACK.match(move.message):
            rests.add(move.new)
    return frozenset(copies - rests)


def peel_commits(opened: OpenedRepository, shas: Iterable[str]) -> dict[str, str]:
    """The commit that each of `shas` is, or is a tag of; without those that are something else, or not there."""
    asked = list(dict.fromkeys(shas))
    if not asked:
        return {}
    layout = "--batch-check=%(objectname) %(objecttype)"
    answers = opened.git("cat-file", layout, stdin="".join(f"{sha}^{{}}\n" for sha in asked)).split("\n")
    found = (answer.split(" ") for answer in answers)
    return {sha: answer[0] for sha, answer in zip(asked, found, strict=True) if answer[1:] == ["commit"]}
