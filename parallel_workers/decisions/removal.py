"""What to do with a worktree that somebody wants removed: nothing it holds may be lost."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from parallel_workers.worktree_contents import WorktreeContents

UNPUSHED = ("--exclude=refs/tags/*", "--all", "--reflog", "--not", "--remotes")
"""What `git log` and `git rev-list` take for the commits made here that the remote has not.

Tags are left out: a clone has all of its remote's, also those on no branch. A commit made here is in a reflog too.
"""
_SHOWN_FILES = 5


class Care(Enum):
    """How removal was asked for: `KEEP_WORK` leaves a worktree with work alone, `SAVE_WORK` saves it first."""

    KEEP_WORK = auto()
    SAVE_WORK = auto()


class Obstacle(Enum):
    """What a refusal is about."""

    NOT_OURS = auto()
    OWN_REPOSITORY = auto()
    MOUNTED = auto()
    LOCKED = auto()
    UNSAVED_WORK = auto()


class Remove(NamedTuple):
    """Nothing in it exists only there."""

    reason: str


class SaveThenRemove(NamedTuple):
    """Save `what`, in words, and only then remove."""

    what: tuple[str, ...]
    reason: str


class Refuse(NamedTuple):
    """Leave it as it is: `why`, and the `way_out`, a sentence with a command."""

    obstacle: Obstacle
    why: str
    way_out: str

    @property
    def reason(self) -> str:
        """Both, as one text for a person."""
        return f"{self.why}. {self.way_out}"


RemovalDecision = Remove | SaveThenRemove | Refuse
_Rule = Callable[[WorktreeContents, Care], Refuse | None]


def decide_removal(contents: WorktreeContents, care: Care) -> RemovalDecision:
    """Remove, save first, or refuse.

    Rules in order, the first that answers wins: the folder is not the registered worktree; something is mounted
    in it; other worktrees lie in it; submodules cannot be looked at safely; it holds other repositories with work of
    their own; it is locked; it holds work.
    The last two only under `Care.KEEP_WORK`.
    """
    for rule in _RULES:
        refusal = rule(contents, care)
        if refusal is not None:
            return refusal
    what = describe_contents(contents)
    if what:
        return SaveThenRemove(what, f"saved first: {', '.join(what)}")
    return Remove("everything in it is committed")


def describe_contents(contents: WorktreeContents) -> tuple[str, ...]:
    """What would be lost, in words: `2 staged files`, `1 stash`, `a rebase of feature/x`."""
    counted = (
        ("conflicted file", contents.conflicted),
        ("staged file", contents.staged),
        ("changed file", contents.unstaged),
        ("untracked file", contents.untracked),
        ("ignored file", contents.kept_ignored),
    )
    what = [_count(len(found), name) for name, found in counted if found]
    if contents.stashes:
        what.append(f"{len(contents.stashes)} stash{'es' if len(contents.stashes) > 1 else ''}")
    if contents.loose_commit:
        what.append(f"commit {contents.loose_commit[:12]}, which is on no branch")
    what.extend(_describe_own_refs(contents))
    if contents.left_behind:
        what.append(f"{_count(len(contents.left_behind), 'commit')} that HEAD left behind")
    if contents.operation is not None:
        what.append(_describe_operation(contents))
    return tuple(what)


def _refuse_not_ours(contents: WorktreeContents, care: Care) -> Refuse | None:  # noqa: ARG001 - one of the rules
    if not contents.not_ours:
        return None
    path = shlex.quote(str(contents.path))
    return Refuse(
        Obstacle.NOT_OURS,
        f"{contents.path} {contents.not_ours}, so it is left as it is",
        f"If it still is the worktree, run in the repository: git worktree repair, and remove it again. "
        f"If it is something else: mv {path} {shlex.quote(f'{contents.path}.mine')}, and remove the worktree again",
    )


def _refuse_mounts(contents: WorktreeContents, care: Care) -> Refuse | None:  # noqa: ARG001 - one of the rules
    if not contents.mounts:
        return None
    # innermost first, as they have to be unmounted
    places = " ".join(shlex.quote(str(contents.path / name)) for name in contents.mounts)
    return Refuse(
        Obstacle.MOUNTED,
        f"{contents.path} is not removed, because something else is mounted in it: {_shown(contents.mounts)}",
        f"Unmount it: umount {places}, and remove the worktree again",
    )


def _refuse_inner_worktrees(contents: WorktreeContents, care: Care) -> Refuse | None:  # noqa: ARG001 - one of the rules
    if not contents.inner_worktrees:
        return None
    first = shlex.quote(str(contents.path / contents.inner_worktrees[0]))
    return Refuse(
        Obstacle.OWN_REPOSITORY,
        f"{contents.path} is not removed, because other worktrees lie in it: {_shown(contents.inner_worktrees)}",
        f"Remove each of them (git worktree remove {first}) or move it out (git worktree move {first} …), "
        "and remove the worktree again",
    )


def _refuse_untrusted_modules(contents: WorktreeContents, care: Care) -> Refuse | None:  # noqa: ARG001 - one of the rules
    if not contents.untrusted_modules:
        return None
    named = tuple(f"{one.file} ({', '.join(one.keys)})" if one.keys else one.file for one in contents.untrusted_modules)
    commands = []
    for file, keys in contents.untrusted_modules:
        quoted, aside = shlex.quote(file), shlex.quote(f"{file}.mine")
        commands += [f"git config --file {quoted} --unset-all {shlex.quote(key)}" for key in keys]
        commands += [] if keys else [f"mv {quoted} {aside}"]
    lfs = any(key.startswith("filter.lfs.") for one in contents.untrusted_modules for key in one.keys)
    return Refuse(
        Obstacle.OWN_REPOSITORY,
        f"{contents.path} has submodules that were not looked at, because of what is in {_shown(named)}. "
        "It makes git run programs, read other config or overlook files, and whoever worked here may have written it",
        f"Look at it first; then take it out: {' && '.join(commands)}, and remove the worktree again"
        + (". git lfs install --local wrote filter.lfs there; git lfs install writes your own config" if lfs else ""),
    )


def _refuse_own_repositories(contents: WorktreeContents, care: Care) -> Refuse | None:  # noqa: ARG001 - one of the rules
    if not contents.own_repositories:
        return None
    first = shlex.quote(str(contents.path / contents.own_repositories[0]))
    return Refuse(
        Obstacle.OWN_REPOSITORY,
        f"{contents.path} holds repositories of their own, with work that is nowhere else: "
        f"{_shown(contents.own_repositories)}",
        f"Commit and push it there (git -C {first} status; git -C {first} log {shlex.join(UNPUSHED)}), "
        f"or move it out of the worktree: mv {first} …",
    )


def _refuse_own_modules(contents: WorktreeContents, care: Care) -> Refuse | None:  # noqa: ARG001 - one of the rules
    if not contents.own_modules:
        return None
    first = shlex.quote(contents.own_modules[0])
    git = f"git --git-dir={first} --work-tree={first}"
    return Refuse(
        Obstacle.OWN_REPOSITORY,
        f"{contents.path} has repositories of submodules that are not checked out, with work that is nowhere else: "
        f"{_shown(contents.own_modules)}",
        f"Look at it ({git} log {shlex.join(UNPUSHED)}) and push it "
        f"({git} push origin COMMIT:refs/heads/NAME), or give it up: rm -rf {first}",
    )


def _refuse_locked(contents: WorktreeContents, care: Care) -> Refuse | None:
    if contents.lock_reason is None or care is not Care.KEEP_WORK:
        return None
    return Refuse(
        Obstacle.LOCKED,
        f"{contents.path} is locked ({contents.lock_reason or 'no reason given'})",
        f"Unlock it: git worktree unlock {shlex.quote(str(contents.path))}, or remove it by force",
    )


def _refuse_work(contents: WorktreeContents, care: Care) -> Refuse | None:
    if care is not Care.KEEP_WORK:
        return None
    held = []
    if contents.uncommitted:
        held.append(_shown(contents.uncommitted))
    if contents.loose_commit:
        held.append(f"commit {contents.loose_commit[:12]}, which is on no branch")
    held.extend(_describe_own_refs(contents))
    if contents.operation is not None:
        held.append(_describe_operation(contents))
    if not held:
        return None
    path = shlex.quote(str(contents.path))
    commit = f"Commit it (git -C {path} add --all && git -C {path} commit), or"
    saved = "remove by force: it is then saved to a rescue ref first (docs/rescue.md)"
    return Refuse(
        Obstacle.UNSAVED_WORK,
        f"{contents.path} holds unsaved work: {'; '.join(held)}",
        f"{'To go on' if contents.folder_gone else commit} {saved}",
    )


_RULES: tuple[_Rule, ...] = (
    _refuse_not_ours,
    _refuse_mounts,
    _refuse_inner_worktrees,
    _refuse_untrusted_modules,
    _refuse_own_repositories,
    _refuse_own_modules,
    _refuse_locked,
    _refuse_work,
)


def _describe_own_refs(contents: WorktreeContents) -> list[str]:
    return [f"commits that only {ref.name} keeps" for ref in contents.own_refs]


def _describe_operation(contents: WorktreeContents) -> str:
    operation = contents.operation
    if operation is None:
        return ""
    article = "an" if operation.name[0] in "aeiou" else "a"
    of = f" of {operation.branch}" if operation.branch else ""
    return f"{article} {operation.name}{of} that was stopped half-way"


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _shown(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
    return ", ".join(names[:_SHOWN_FILES]) + more
