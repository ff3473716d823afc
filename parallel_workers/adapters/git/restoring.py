"""Brings a rescue back: as a branch, or as a worktree in which what was uncommitted is uncommitted again."""

from __future__ import annotations

from pathlib import Path

from parallel_workers.adapters.git.command import checked
from parallel_workers.adapters.git.file_states import GITLINK
from parallel_workers.adapters.git.layout import branch_ref, linked_worktrees, read_ref
from parallel_workers.adapters.git.opened import OpenedRepository, WorktreeLocation
from parallel_workers.adapters.git.putting_back import put_back
from parallel_workers.adapters.git.raw_writing import check_names, write_files
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.adapters.git.sparse_checkout import confine
from parallel_workers.errors import GitCommandError, RestoreFailedError, UsageError, WorktreeConflictError
from parallel_workers.rescues import Rescue, RestoredRescue, SavedFile

_CHANGED = "changed"


def restore_branch(opened: OpenedRepository, rescue: Rescue, branch: str) -> RestoredRescue:
    """Make `branch` at what was saved; what was uncommitted is one commit on top of HEAD.

    Raises:
        WorktreeConflictError: there is such a branch.
        UsageError: `branch` is no name for one.
    """
    _refuse_branch(opened, branch)
    target = _commit_files(opened, rescue)
    _create_branch(opened, branch, target)
    return RestoredRescue(rescue.name, branch, target, None)


def restore_worktree(
    opened: OpenedRepository, lock: RepositoryLock, rescue: Rescue, branch: str, path: Path
) -> RestoredRescue:
    """Make `branch` at the commit that was checked out, and a worktree at `path` with everything else uncommitted.

    A merge, cherry-pick, revert or rebase that was stopped is stopped there again. Of a rescue from before the first
    commit all is one commit, as `restore_branch` makes it: git has no worktree without one.

    Raises:
        WorktreeConflictError: there is such a branch, or something lies at `path`.
        UsageError: `branch` is no name for one, or `path` is in the repository or cannot be made.
        UnsavedWorkError: the rescue is not what we made.
        RestoreFailedError: the disk is full, or something cannot be written.
    """
    place = path.expanduser().absolute()
    _refuse_branch(opened, branch)
    _refuse_place(opened, place)
    if not rescue.head_sha:
        rescue = rescue._replace(head_sha=_commit_files(opened, rescue), entries=(), operation=None)
    files = rescue.files or _files_of_plain(opened, rescue)
    check_names([*(file.path for file in files), *(entry.path for entry in rescue.entries)])
    _create_branch(opened, branch, rescue.head_sha)
    was_there = place.exists()
    try:
        location = _add_worktree(opened, lock, branch, place)
    except BaseException:
        # git has taken back its own; what lies there now may be somebody else's
        opened.ask("update-ref", "-d", branch_ref(branch), rescue.head_sha)
        raise
    try:
        _check_out(opened, lock, location, rescue)
        _fill_index(opened, location, rescue)
        write_files(opened, location.path, files)
        under_way = put_back(opened, location, rescue, branch)
    except BaseException as error:
        left = _undo(opened, place, (branch, rescue.head_sha), was_there=was_there)
        if isinstance(error, OSError | GitCommandError):
            said = error.strerror if isinstance(error, OSError) else error
            raise RestoreFailedError(
                f"{rescue.name} could not be restored to {place}: {said}. {left}, and the rescue is still there. "
                f"Make room, or choose another place: --worktree PATH"
            ) from error
        raise
    return RestoredRescue(rescue.name, branch, rescue.head_sha, location.path, under_way)


def _undo(opened: OpenedRepository, place: Path, branch: tuple[str, str], *, was_there: bool) -> str:
    """Take back the worktree and the branch, as (name, sha), that were made; what there is to say of it."""
    name, sha = branch
    removed = opened.ask("worktree", "remove", "--force", "--force", "--", str(place))
    gone = removed.code == 0 and opened.ask("update-ref", "-d", branch_ref(name), sha).code == 0
    if was_there:
        place.mkdir(exist_ok=True)
    return "Nothing is left of it" if gone else f"Branch {name} and parts of {place} are left and can be removed"


def _refuse_branch(opened: OpenedRepository, branch: str) -> None:
    if opened.ask("check-ref-format", branch_ref(branch)).code != 0 or branch.startswith("-"):
        raise UsageError(f"{branch!r} is no name for a branch")
    if read_ref(opened.common_dir, branch_ref(branch)) is not None:
        raise WorktreeConflictError(
            f"branch {branch} exists already and is left as it is; choose another: --branch NAME"
        )


def _refuse_place(opened: OpenedRepository, place: Path) -> None:
    if place.is_symlink() or (place.exists() and not (place.is_dir() and not any(place.iterdir()))):
        raise WorktreeConflictError(f"{place} exists already and is left as it is; choose another: --worktree PATH")
    resolved = place.resolve()
    if any(entry.path == resolved for entry in linked_worktrees(opened.common_dir)):
        raise WorktreeConflictError(f"a worktree is registered at {place}; choose another: --worktree PATH")
    if resolved.is_relative_to(opened.path) or resolved.is_relative_to(opened.common_dir):
        raise UsageError(f"{place} is inside the repository {opened.path}; choose a folder outside it")


def _create_branch(opened: OpenedRepository, branch: str, target: str) -> None:
    output = opened.ask("update-ref", "-m", "parallel-workers: rescue restored", branch_ref(branch), target, "")
    if output.code != 0 and ("already exists" in output.stderr or "cannot create" in output.stderr):
        raise WorktreeConflictError(f"branch {branch} cannot be made: {output.stderr}; choose another: --branch NAME")
    checked(output, ("update-ref", branch))


def _commit_files(opened: OpenedRepository, rescue: Rescue) -> str:
    tree = opened.git("rev-parse", f"{rescue.commit}^{{tree}}")
    if rescue.head_sha and tree == opened.git("rev-parse", f"{rescue.head_sha}^{{tree}}"):
        return rescue.head_sha
    parent = ("-p", rescue.head_sha) if rescue.head_sha else ()
    message = f"rescued: {', '.join(rescue.what) or 'work'}\n\nFrom {rescue.ref}.\n"
    return opened.git("commit-tree", *parent, "-F", "-", tree, stdin=message)


def _add_worktree(opened: OpenedRepository, lock: RepositoryLock, branch: str, place: Path) -> WorktreeLocation:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{place.parent} cannot be made ({error.strerror}); choose another: --worktree PATH"
        ) from error
    with lock.hold() as descriptor:
        arguments = ("worktree", "add", "--quiet", "--no-checkout", "--", str(place), branch)
        output = opened.ask(*arguments, inherited_fds=(descriptor,))
    if output.code != 0:
        said = output.stderr.strip().splitlines()[-1:]
        raise RestoreFailedError(
            f"no worktree could be made at {place}: {''.join(said)}. The rescue is still there; make room, "
            f"or choose another place: --worktree PATH"
        )
    return opened.locate(place)


def _check_out(opened: OpenedRepository, lock: RepositoryLock, location: WorktreeLocation, rescue: Rescue) -> None:
    if location.linked is not None and rescue.sparse:
        with lock.hold():
            confine(opened, location.linked, rescue.sparse)
    opened.git_in(location, "reset", "--hard", "--quiet", "--no-recurse-submodules")


def _fill_index(opened: OpenedRepository, location: WorktreeLocation, rescue: Rescue) -> None:
    if not rescue.entries:
        return
    conflicts = {entry.path for entry in rescue.entries if entry.stage}
    null = "0" * len(rescue.head_sha)
    # a path in conflict has its stages only
    lines = [f"0 {null}\t{path}\0" for path in sorted(conflicts)]
    lines += [
        f"{entry.mode} {entry.sha or null} {entry.stage}\t{entry.path}\0"
        for entry in sorted(rescue.entries, key=lambda entry: entry.mode.strip("0") != "")
    ]
    opened.git_in(location, "update-index", "--replace", "-z", "--index-info", stdin="".join(lines))
    # a file that is only staged lies in the folder as it is staged; what differs from it is written afterwards
    apart = {file.path for file in rescue.files}
    staged = [
        entry for entry in rescue.entries if not entry.stage and entry.path not in apart and entry.mode != GITLINK
    ]
    write_files(opened, location.path, [SavedFile(_CHANGED, one.path, one.mode, one.sha) for one in staged])


def _files_of_plain(opened: OpenedRepository, rescue: Rescue) -> tuple[SavedFile, ...]:
    """For a rescue without a manifest: what its commit changes."""
    if rescue.entries or not rescue.head_sha or rescue.head_sha == rescue.commit:
        return ()
    listed = opened.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", rescue.head_sha, rescue.commit)
    fields = listed.split("\0")
    rows = zip(fields[0::2], fields[1::2], strict=False)
    return tuple(SavedFile(_CHANGED, path, row.split()[1], row.split()[3]) for row, path in rows if row)
