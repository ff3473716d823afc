"""Looks at a worktree before it is removed: everything in it that exists nowhere else. Changes nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from parallel_workers.adapters.git.command import checked
from parallel_workers.adapters.git.file_states import COMPARED_FULLY, GITLINK, FileStates, parse_file_states
from parallel_workers.adapters.git.layout import LinkedWorktree, branch_ref, linked_worktrees, read_last_head, read_ref
from parallel_workers.adapters.git.mounts import find_mounts
from parallel_workers.adapters.git.opened import OpenedRepository, WorktreeLocation
from parallel_workers.adapters.git.own_refs import NO_KEEPERS, find_left_behind, find_own_refs
from parallel_workers.adapters.git.own_repositories import find_repositories
from parallel_workers.adapters.git.stopped_operations import find_operation, find_stashes
from parallel_workers.adapters.git.submodules import (
    find_files_instead,
    find_module,
    find_modules,
    has_own_work,
    is_kept_elsewhere,
)
from parallel_workers.adapters.git.untrusted_modules import find_untrusted
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.worktree_contents import WorktreeContents


class Inspection(NamedTuple):
    """What was found: `contents` to decide by, `states` to save from, `location` where the files are now."""

    contents: WorktreeContents
    states: FileStates
    location: WorktreeLocation


class _Listed(NamedTuple):
    """What the index lists: submodules, and files that git was told not to look at."""

    submodules: frozenset[str]
    assumed: tuple[str, ...]
    skipped: tuple[str, ...]


def inspect_worktree(opened: OpenedRepository, linked: LinkedWorktree, folder: Path | None) -> Inspection:
    """Everything that removing `linked` could lose. `folder` is where its files are; None when they are gone.

    Raises:
        UnsavedWorkError: a part of it cannot be read.
        GitCommandError: git cannot make sense of it.
    """
    head_sha = read_ref(linked.admin, "HEAD") if linked.branch is None else None
    if linked.branch is not None:
        head_sha = read_ref(opened.common_dir, branch_ref(linked.branch))
    with tempfile.TemporaryDirectory(prefix="parallel-workers-") as scratch:
        location = WorktreeLocation(folder or _empty_folder(scratch), linked.admin, linked.branch, linked)
        index = _copy_index(opened, location, Path(scratch) / "index", head_sha)
        listed = _list_index(opened, location, index)
        _look_at_all(opened, location, index, listed)
        states = _read_states(opened, location, index)
        kept = find_kept_ignored(opened, location, index, Path(scratch) / "patterns") if folder else ()
    states = _correct(states, linked, folder, listed)
    operation = find_operation(linked.admin)
    contents = WorktreeContents(
        path=linked.path,
        worker=linked.worker,
        branch=linked.branch,
        head_sha=head_sha or "",
        staged=tuple(entry.path for entry in states.staged),
        unstaged=states.unstaged,
        conflicted=states.conflicted,
        untracked=states.untracked,
        kept_ignored=tuple(name for name in kept if name not in set(states.untracked)),
        stashes=find_stashes(opened.common_dir, linked.branch or (operation and operation.branch)),
        loose_commit=_loose_commit(opened, linked, head_sha),
        own_refs=find_own_refs(opened, linked.admin),
        left_behind=find_left_behind(opened, linked, head_sha),
        operation=operation,
        own_repositories=_own_repositories(linked, folder, states, listed, kept) if folder else (),
        own_modules=_own_modules(linked.admin, folder, listed),
        untrusted_modules=tuple(each for module in find_modules(linked.admin) for each in find_untrusted(module)),
        inner_worktrees=_inner_worktrees(opened, linked, folder) if folder else (),
        mounts=tuple(str(one.relative_to(folder)) for one in find_mounts(folder)) if folder else (),
        lock_reason=None if linked.half_made else linked.lock_reason,
        folder_gone=folder is None,
    )
    return Inspection(contents, states, location)


def _correct(states: FileStates, linked: LinkedWorktree, folder: Path | None, listed: _Listed) -> FileStates:
    """Without what nobody deleted, and with files that git does not look at."""
    if folder is None:
        return states._replace(unstaged=(), untracked=(), ignored=(), submodules=())
    hidden = find_files_instead(folder, listed.submodules)
    states = states._replace(untracked=(*states.untracked, *hidden))
    if not linked.checked_out:
        # the checkout was cut off: what is not there yet was not deleted by anybody
        there = tuple(name for name in states.unstaged if os.path.lexists(folder / name))
        states = states._replace(unstaged=there)
    return states


def _empty_folder(scratch: str) -> Path:
    folder = Path(scratch) / "empty"
    folder.mkdir()
    return folder


def _copy_index(opened: OpenedRepository, location: WorktreeLocation, copy: Path, head_sha: str | None) -> Path:
    """An index of our own, so that the worktree's is not written to."""
    index = location.git_dir / "index"
    if index.exists():
        shutil.copyfile(index, copy)
        # its time tells git which files may have changed since without a change of their own times
        times = index.stat()
        os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif head_sha:
        opened.git_in(location, "read-tree", head_sha, env={"GIT_INDEX_FILE": str(copy)})
    return copy


def _list_index(opened: OpenedRepository, location: WorktreeLocation, index: Path) -> _Listed:
    listed = opened.ask_in(location, "ls-files", "-z", "-v", "--stage", env={"GIT_INDEX_FILE": str(index)})
    if listed.code != 0:
        said, place = listed.stderr.strip().rpartition("\n")[2], location.git_dir / "index"
        raise UnsavedWorkError(
            f"git cannot read the index of {location.path} ({said}), so nothing is removed. Move it away: "
            f"mv '{place}' '{place}.broken', and remove the worktree again; its files are saved as they are"
        )
    text = listed.stdout
    submodules, assumed, skipped = set(), [], []
    for entry in filter(None, text.split("\0")):
        fields, _, path = entry.partition("\t")
        tag, mode, *_ = fields.split(" ")
        if mode == GITLINK:
            submodules.add(path)
        elif tag.islower():
            assumed.append(path)
        if tag.upper() == "S" and os.path.lexists(location.path / path):
            skipped.append(path)
    return _Listed(frozenset(submodules), tuple(assumed), tuple(skipped))


def _look_at_all(opened: OpenedRepository, location: WorktreeLocation, index: Path, listed: _Listed) -> None:
    """In our copy of the index, take back that git was told not to look at a file: it may have been changed."""
    for option, paths in (("--no-assume-unchanged", listed.assumed), ("--no-skip-worktree", listed.skipped)):
        if paths:
            names = "".join(f"{path}\0" for path in paths)
            own = {"GIT_INDEX_FILE": str(index)}
            opened.git_in(location, "update-index", option, "-z", "--stdin", stdin=names, env=own)


def _read_states(opened: OpenedRepository, location: WorktreeLocation, index: Path) -> FileStates:
    arguments = (
        *COMPARED_FULLY,
        "status",
        "--porcelain=v2",
        "-z",
        "--no-renames",
        "--untracked-files=all",
        "--ignored=matching",
        # git cannot look into one that was moved aside with its worktree; `is_kept_elsewhere` does
        "--ignore-submodules=dirty",
    )
    own = {"GIT_INDEX_FILE": str(index), "GIT_OPTIONAL_LOCKS": "0"}
    output = opened.ask_in(location, *arguments, env=own)
    text = checked(output, arguments)
    if "could not open directory" in output.stderr:
        said = output.stderr.strip().splitlines()[0]
        raise UnsavedWorkError(f"a part of {location.path} cannot be read, so nothing is removed: {said}")
    return parse_file_states(text)


def find_kept_ignored(opened: OpenedRepository, location: WorktreeLocation, index: Path, file: Path) -> tuple[str, ...]:
    """The ignored files that the user wants to be saved; `file` is where the patterns may be written to."""
    patterns = location.linked.keep_ignored if location.linked is not None else ()
    if not patterns:
        return ()
    file.write_text("".join(f"{pattern}\n" for pattern in patterns), encoding="utf-8")
    listing = ("ls-files", "-z", "--others", "--ignored", f"--exclude-from={file}")
    text = opened.git_in(location, *listing, env={"GIT_INDEX_FILE": str(index)})
    return tuple(filter(None, text.split("\0")))


def _loose_commit(opened: OpenedRepository, linked: LinkedWorktree, head_sha: str | None) -> str:
    """HEAD, when it is detached at a commit that no ref would keep, or its branch was deleted under it."""
    if linked.branch is not None:
        if head_sha:
            return ""
        head_sha = read_last_head(linked.admin)
    if not head_sha or opened.ask("cat-file", "-e", f"{head_sha}^{{commit}}").code != 0:
        return ""
    containing = opened.git("for-each-ref", f"--contains={head_sha}", "--format=%(refname)").split("\n")
    kept = any(ref and not ref.startswith(NO_KEEPERS) for ref in containing)
    return "" if kept else head_sha


def _own_repositories(
    linked: LinkedWorktree, folder: Path, states: FileStates, listed: _Listed, kept: tuple[str, ...]
) -> tuple[str, ...]:
    nested = (name.rstrip("/") for name in (*states.untracked, *kept) if name.endswith("/"))
    changed = {*states.submodules, *nested}
    for name in find_repositories(folder, states.ignored):
        if name not in listed.submodules or not is_kept_elsewhere(linked.admin, folder / name, linked.keep_ignored):
            changed.add(name)
    return tuple(sorted(changed))


def _inner_worktrees(opened: OpenedRepository, linked: LinkedWorktree, folder: Path) -> tuple[str, ...]:
    """By their names below the folder, which may have been moved since they were made; also in ignored folders."""
    inside = (each.path for each in linked_worktrees(opened.common_dir) if linked.path in each.path.parents)
    names = (path.relative_to(linked.path) for path in inside)
    return tuple(str(name) for name in names if (folder / name).exists())


def _own_modules(admin: Path, folder: Path | None, listed: _Listed) -> tuple[str, ...]:
    """Those of submodules that are checked out are looked at there."""
    there = {find_module(admin, folder / name) for name in listed.submodules} if folder else set()
    return tuple(str(module) for module in find_modules(admin) if module not in there and has_own_work(module))
