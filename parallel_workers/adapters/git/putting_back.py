"""Puts a stopped merge, cherry-pick, revert or rebase back into a restored worktree, so that git goes on with it.

A rescue may have been made by an agent. So only files of known names are written, and a rebase that would run commands
or move other branches is not put back; everything is in the rescue all the same.
"""

from __future__ import annotations

import re

from parallel_workers.adapters.git.layout import branch_ref
from parallel_workers.adapters.git.opened import OpenedRepository, WorktreeLocation
from parallel_workers.adapters.git.rescue import OPERATION
from parallel_workers.rescues import Rescue

_ENDED_BY_COMMIT = ("MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "CHERRY_PICK_HEAD", "REVERT_HEAD")
"""Files that are enough, put back, for `git commit` to end the operation: it concerns no other branch."""
_REBASE = "rebase-merge/"
# sequencer.c of git, less what names programs (strategy, gpg_sign_opt) or other branches (update-refs)
_REBASE_FILES = frozenset(
    f"{_REBASE}{name}"
    for name in (
        *("interactive", "git-rebase-todo", "done", "msgnum", "end", "onto", "orig-head", "head-name", "squash-onto"),
        *("message", "message-squash", "message-fixup", "current-fixups", "author-script", "amend", "stopped-sha"),
        *("rewritten-list", "rewritten-pending", "autostash", "patch", "quiet", "verbose", "signoff"),
        *("drop_redundant_commits", "keep_redundant_commits", "allow_rerere_autoupdate", "cdate_is_adate"),
        *("ignore_date", "reschedule-failed-exec", "no-reschedule-failed-exec"),
    )
)
_BESIDE_A_REBASE = frozenset({"REBASE_HEAD", "MERGE_MSG", "MERGE_HEAD", "MERGE_MODE", "CHERRY_PICK_HEAD"})
_LABELS = "refs/rewritten/"
_NOT_GONE_ON_WITH = re.compile(r"^\s*(?:exec|x|update-ref|u)(?:\s|$)", re.MULTILINE)
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def put_back(opened: OpenedRepository, location: WorktreeLocation, rescue: Rescue, branch: str) -> str:
    """What git can go on with now in the restored worktree, which is on `branch`; '' when that is nothing.

    A rebase goes on with `branch`, which is then where the rebased branch was before it, as `git rebase --abort` needs.
    """
    if rescue.operation is None:
        return ""
    saved = _Saved(opened, rescue)
    if rescue.operation.name in {"merge", "cherry-pick", "revert"}:
        saved.write(location, [name for name in _ENDED_BY_COMMIT if name in saved.names])
        return rescue.operation.name
    if rescue.operation.name == "rebase" and saved.is_harmless_rebase():
        _begin_rebase(opened, location, saved, branch_ref(branch))
        return "rebase"
    return ""


def _begin_rebase(opened: OpenedRepository, location: WorktreeLocation, saved: _Saved, branch: str) -> None:
    for name in (name for name in saved.names if name.startswith(_LABELS)):
        opened.git_in(location, "update-ref", name, saved.read(name).strip())
    saved.write(location, [name for name in saved.names if name in _REBASE_FILES | _BESIDE_A_REBASE])
    (location.git_dir / _REBASE / "head-name").write_text(f"{branch}\n", encoding="utf-8")
    head = opened.git_in(location, "rev-parse", "HEAD")
    opened.git_in(location, "update-ref", "--no-deref", "HEAD", head)
    # last: what is undone after a failure is the branch where it was made
    opened.git("update-ref", branch, saved.read(f"{_REBASE}orig-head").strip(), head)


class _Saved:
    """The files of an operation as a rescue has them."""

    def __init__(self, opened: OpenedRepository, rescue: Rescue) -> None:
        self._opened = opened
        state = opened.git("rev-parse", f"{rescue.commit}^{'2' if rescue.head_sha else '1'}")
        self._tree = f"{state}:{OPERATION}"
        self.names = frozenset(opened.ask("ls-tree", "-r", "--name-only", self._tree.rstrip("/")).stdout.split("\n"))

    def read(self, name: str) -> str:
        """The text of one; '' when it is not there."""
        return self._opened.ask("cat-file", "blob", f"{self._tree}{name}").stdout if name in self.names else ""

    def write(self, location: WorktreeLocation, names: list[str]) -> None:
        """Put those into the worktree's git directory."""
        for name in names:
            place = location.git_dir / name
            place.parent.mkdir(exist_ok=True)
            place.write_text(self.read(name), encoding="utf-8", errors="surrogateescape")

    def is_harmless_rebase(self) -> bool:
        """Whether going on with it only makes commits, and the commits it begins from are there."""
        starts = [self.read(f"{_REBASE}{name}").strip() for name in ("orig-head", "onto")]
        return (
            all(
                _SHA.fullmatch(sha) and self._opened.ask("cat-file", "-e", f"{sha}^{{commit}}").code == 0
                for sha in starts
            )
            and f"{_REBASE}git-rebase-todo" in self.names
            and not _NOT_GONE_ON_WITH.search(self.read(f"{_REBASE}git-rebase-todo"))
        )
