"""Operations that git keeps in files while they are stopped: where they are, and the commits they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from parallel_workers.adapters.git.layout import read_ref
from parallel_workers.worktree_contents import Stash, StoppedOperation

# git help gitrepository-layout, and wt-status.c of git: what `git status` looks for
_MARKS = (
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("sequencer", "sequence of picks"),
    ("BISECT_LOG", "bisect"),
)
_STATE = re.compile(
    r"(rebase-merge|rebase-apply|sequencer|MERGE_.*|CHERRY_PICK_HEAD|REVERT_HEAD|REBASE_HEAD|ORIG_HEAD|AUTO_MERGE"
    r"|SQUASH_MSG|BISECT_.*|refs)"
)
_BRANCHES = "refs/heads/"


def find_operation(git_dir: Path) -> StoppedOperation | None:
    """What was begun in the worktree with this git directory and not ended."""
    for mark, name in _MARKS:
        place = git_dir / mark
        if not place.exists():
            continue
        if (place / "applying").exists():
            return StoppedOperation("series of patches (git am)")
        head_name = _read(place / "head-name")
        branch = head_name.removeprefix(_BRANCHES) if head_name.startswith(_BRANCHES) else None
        return StoppedOperation(name, branch, _read(place / "orig-head"))
    return None


def state_files(git_dir: Path) -> Iterator[Path]:
    """The files an operation is kept in, and the worktree's own refs; no links are followed."""
    for top in sorted(git_dir.iterdir()):
        if not _STATE.fullmatch(top.name) or top.is_symlink():
            continue
        found = [top] if top.is_file() else sorted(top.rglob("*"))
        yield from (file for file in found if file.is_file() and not file.is_symlink())


def find_stashes(common_dir: Path, branch: str | None) -> tuple[Stash, ...]:
    """The entries of `git stash list` that were made on a branch, newest first; no process."""
    if branch is None or read_ref(common_dir, "refs/stash") is None:
        return ()
    marks = (f"WIP on {branch}: ", f"On {branch}: ")
    found = []
    # a line is `<old sha> <new sha> <who and when>\t<message>`
    for line in _read(common_dir / "logs" / "refs" / "stash").splitlines():
        fields, _, message = line.partition("\t")
        if message.startswith(marks):
            found.append(Stash(fields.split(" ", 2)[1], message))
    return tuple(reversed(found))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").rstrip("\n")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return ""
