"""What is decided about a worktree that somebody wants removed, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_workers.decisions.removal import (
    Care,
    Obstacle,
    Refuse,
    Remove,
    SaveThenRemove,
    decide_removal,
    describe_contents,
)
from parallel_workers.worktree_contents import Stash, StoppedOperation, UntrustedModule, WorktreeContents

EMPTY = WorktreeContents(Path("/trees/a b"), worker="worker-1", branch="feature/a", head_sha="1" * 40)
REBASE = StoppedOperation("rebase", "feature/a", "2" * 40)
# what is found, how it is told, and whether a careful removal leaves it alone
FINDINGS: dict[str, tuple[dict[str, object], str, bool]] = {
    "staged": ({"staged": ("f",)}, "1 staged file", True),
    "changed": ({"unstaged": ("f", "g")}, "2 changed files", True),
    "in conflict": ({"conflicted": ("f",)}, "1 conflicted file", True),
    "untracked": ({"untracked": ("f",)}, "1 untracked file", True),
    "loose": ({"loose_commit": "3" * 40}, "commit 333333333333, which is on no branch", True),
    "stopped": ({"operation": REBASE}, "a rebase of feature/a that was stopped half-way", True),
    "ignored": ({"kept_ignored": (".env",)}, "1 ignored file", False),
    "stash": ({"stashes": (Stash("4" * 40, "WIP"),)}, "1 stash", False),
}


def changed(**found: object) -> WorktreeContents:
    return EMPTY._replace(**found)  # type: ignore[arg-type]


@pytest.mark.parametrize("care", list(Care))
def test_nothing_in_it(care: Care) -> None:
    assert isinstance(decide_removal(EMPTY, care), Remove)


@pytest.mark.parametrize("name", FINDINGS)
def test_whatever_is_found_is_saved_first_when_asked(name: str) -> None:
    found, told, _ = FINDINGS[name]
    decision = decide_removal(changed(**found), Care.SAVE_WORK)
    assert decision == SaveThenRemove((told,), f"saved first: {told}")


@pytest.mark.parametrize("care", list(Care))
def test_what_is_mounted_in_it_is_not_touched(care: Care) -> None:
    decision = decide_removal(changed(mounts=("src/in er", "src"), own_repositories=("src/repo",)), care)
    assert isinstance(decision, Refuse)
    assert decision.obstacle is Obstacle.MOUNTED
    assert "umount '/trees/a b/src/in er' '/trees/a b/src', and" in decision.way_out


@pytest.mark.parametrize("name", FINDINGS)
def test_work_is_left_alone_unless_asked(name: str) -> None:
    found, told, refused = FINDINGS[name]
    decision = decide_removal(changed(**found), Care.KEEP_WORK)
    if not refused:
        assert decision == SaveThenRemove((told,), f"saved first: {told}")
        return
    assert isinstance(decision, Refuse)
    assert decision.obstacle is Obstacle.UNSAVED_WORK
    assert "git -C '/trees/a b' add --all" in decision.way_out
    assert "remove by force" in decision.way_out


@pytest.mark.parametrize("care", list(Care))
@pytest.mark.parametrize(
    ("found", "obstacle", "command"),
    [
        ({"not_ours": "is another repository now"}, Obstacle.NOT_OURS, "mv '/trees/a b' '/trees/a b.mine'"),
        ({"own_repositories": ("lib",)}, Obstacle.OWN_REPOSITORY, "git -C '/trees/a b/lib' status"),
        (
            {"own_repositories": ("lib",)},
            Obstacle.OWN_REPOSITORY,
            "git -C '/trees/a b/lib' log '--exclude=refs/tags/*' --all --reflog --not --remotes)",
        ),
        (
            {
                "untrusted_modules": (UntrustedModule("/a b/config", ("filter.x y.clean",)),),
                "own_repositories": ("lib",),
            },
            Obstacle.OWN_REPOSITORY,
            "git config --file '/a b/config' --unset-all 'filter.x y.clean', and",
        ),
        (
            {"untrusted_modules": (UntrustedModule("/a b/attributes"),), "own_modules": ("/git/mod",)},
            Obstacle.OWN_REPOSITORY,
            "mv '/a b/attributes' '/a b/attributes.mine', and",
        ),
        (
            {"own_modules": ("/git/mod",)},
            Obstacle.OWN_REPOSITORY,
            "git --git-dir=/git/mod --work-tree=/git/mod log '--exclude=refs/tags/*' --all --reflog --not --remotes)",
        ),
    ],
)
def test_what_cannot_be_saved_is_never_removed(
    found: dict[str, object], obstacle: Obstacle, command: str, care: Care
) -> None:
    decision = decide_removal(changed(**found, untracked=("f",), lock_reason=""), care)
    assert isinstance(decision, Refuse)
    assert decision.obstacle is obstacle
    assert command in decision.way_out


def test_a_lock_holds_unless_forced() -> None:
    locked = changed(lock_reason="in use")
    decision = decide_removal(locked, Care.KEEP_WORK)
    assert isinstance(decision, Refuse)
    assert "is locked (in use). Unlock it: git worktree unlock '/trees/a b'" in decision.reason
    assert isinstance(decide_removal(locked, Care.SAVE_WORK), Remove)


def test_all_of_it_is_told_and_files_once() -> None:
    whole = changed(**{key: value for found, _, _ in FINDINGS.values() for key, value in found.items()})
    assert len(describe_contents(whole)) == len(FINDINGS)
    assert whole.uncommitted == ("f", "g")
    many = changed(untracked=tuple(f"{number}" for number in range(9)))
    decision = decide_removal(many, Care.KEEP_WORK)
    assert isinstance(decision, Refuse)
    assert "0, 1, 2, 3, 4 and 4 more" in decision.why
