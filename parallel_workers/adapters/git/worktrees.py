"""Makes a worker's branch and worktree, or adopts what an earlier run of the same worker left."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from loguru import logger

from parallel_workers.adapters.git.command import GitOutput, checked
from parallel_workers.adapters.git.deletion import forget_begun
from parallel_workers.adapters.git.ensuring import Ensuring, Folder, Situation, decide_ensuring
from parallel_workers.adapters.git.layout import (
    LinkedWorktree,
    branch_ref,
    linked_worktrees,
    read_head,
    read_last_head,
    read_ref,
)
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.remotes import pushed_ref
from parallel_workers.adapters.git.removal import forget_worktree
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.adapters.git.sparse_checkout import confine, confine_adopted
from parallel_workers.adapters.git.stale_locks import remove_stale_locks
from parallel_workers.crash_points import reach
from parallel_workers.errors import UsageError, WorktreeConflictError
from parallel_workers.identity import worker_ref
from parallel_workers.worktrees import EnsuredWorktree, WorktreePlan

_ADD_ATTEMPTS = 5
_NAME_IN_THE_WAY = re.compile(r"'refs/heads/([^']+)' exists; cannot create")


def ensure_worktree(opened: OpenedRepository, lock: RepositoryLock, plan: WorktreePlan) -> EnsuredWorktree:
    """Make branch and worktree, or adopt them.

    Under the repository's lock only git's records are written; the files are checked out after it, so that
    many workers begin at the same time.

    Raises:
        WorktreeConflictError: the path or the branch exists and is not this worker's.
        UsageError: the path is inside the repository itself.
        RepositoryLockedError: another process keeps the lock.
    """
    plan = plan._replace(path=_checked_path(opened, plan.path))
    plan.path.parent.mkdir(parents=True, exist_ok=True)
    with lock.hold() as descriptor:
        found = _look(opened, plan)
        step = decide_ensuring(plan, found)
        linked = found.registered
        reach("worktree.locked")
        if step is Ensuring.FORGET_AND_ADD and linked is not None:
            forget_worktree(opened, linked)
        if step in {Ensuring.CREATE, Ensuring.ADD, Ensuring.FORGET_AND_ADD}:
            linked = _add(opened, plan, found, descriptor)
        elif found.branch_sha is None:
            _create_refs(opened, plan, found)
        if linked is not None and linked.worker is None:
            # killed right after git had made it; without the note it would be kept at the end, as somebody else's
            linked.note_worker(plan.worker)
        if linked is not None and step is not Ensuring.ADOPT:
            # under the lock: it writes the shared config once per repository
            confine(opened, linked, plan.paths)
    reach("worktree.confined")
    if linked is not None:
        linked.note_keep_ignored(plan.keep_ignored)
        forget_begun(linked)
    if linked is not None and step is Ensuring.ADOPT:
        remove_stale_locks(opened, linked, plan.branch)
        _make_lost_index(opened, linked)
        confine_adopted(opened, lock, linked, plan.paths)
    elif linked is not None:
        _check_out(opened, linked)
    reach("worktree.checked-out")
    adopted = found.recorded_base is not None
    logger.debug("worktree {} for {}: {}", plan.path, plan.worker, step.name)
    return EnsuredWorktree(plan.path, plan.branch, found.recorded_base or plan.base_sha, adopted)


def _checked_path(opened: OpenedRepository, path: Path) -> Path:
    if path.is_symlink():
        raise WorktreeConflictError(f"{path} is a symbolic link; it is left as it is. Move it away")
    resolved = path.resolve()
    for inside in (opened.path, opened.common_dir):
        if resolved.is_relative_to(inside):
            raise UsageError(
                f"{path} is inside the repository {inside}: agents there would see and change the main checkout. "
                f"Choose a worktree root outside it"
            )
    return resolved


def _look(opened: OpenedRepository, plan: WorktreePlan) -> Situation:
    entries = linked_worktrees(opened.common_dir)
    # a bare repository's HEAD names its default branch, but nothing is checked out
    in_main = not opened.bare and read_head(opened.common_dir) == plan.branch
    elsewhere = next((entry.path for entry in entries if entry.branch == plan.branch and entry.path != plan.path), None)
    return Situation(
        recorded_base=read_ref(opened.common_dir, worker_ref(plan.worker)),
        branch_sha=read_ref(opened.common_dir, branch_ref(plan.branch)),
        registered=next((entry for entry in entries if entry.path == plan.path), None),
        branch_elsewhere=opened.path if in_main else elsewhere,
        folder=_look_at_folder(plan.path),
    )


def _look_at_folder(path: Path) -> Folder:
    try:
        names = [entry.name for entry in path.iterdir()]
    except FileNotFoundError:
        return Folder.ABSENT
    except NotADirectoryError:
        return Folder.NO_FOLDER
    if not names:
        return Folder.EMPTY
    return Folder.GIT_FILE_ONLY if names == [".git"] and (path / ".git").is_file() else Folder.CONTENT


def _add(opened: OpenedRepository, plan: WorktreePlan, found: Situation, descriptor: int) -> LinkedWorktree:
    _create_refs(opened, plan, found)
    reach("worktree.refs-created")
    _remove_nameless(opened.common_dir / "worktrees" / plan.path.name)
    arguments = ("worktree", "add", "--quiet", "--no-checkout", "--", str(plan.path), plan.branch)
    for _ in range(_ADD_ATTEMPTS):
        output = opened.ask(*arguments, inherited_fds=(descriptor,))
        # somebody removed the last worktree, and with it the folder all records lie in, at this very moment
        if output.code == 0 or "could not create directory of" not in output.stderr:
            break
    if output.code != 0:
        if found.recorded_base is None:
            _delete_refs(opened, plan)
        checked(output, arguments)
    linked = next(entry for entry in linked_worktrees(opened.common_dir) if entry.path == plan.path)
    reach("worktree.added")
    linked.note_worker(plan.worker)
    reach("worktree.noted")
    return linked


def _create_refs(opened: OpenedRepository, plan: WorktreePlan, found: Situation) -> None:
    """Branch and mark of ownership in one transaction: there is never one without the other.

    A branch that somebody deleted comes back where its worktree had it, or where it was last pushed.
    """
    base = found.recorded_base or plan.base_sha
    lines = []
    if found.branch_sha is None:
        lines.append(f"create {branch_ref(plan.branch)} {_find_lost_head(opened, plan, found) or base}\n")
    if found.recorded_base is None:
        lines.append(f"create {worker_ref(plan.worker)} {base}\n")
    if not lines:
        return
    output = opened.ask("update-ref", "--stdin", stdin="".join(lines))
    _refuse_name_in_the_way(plan, output)
    checked(output, ("update-ref", "--stdin"))


def _find_lost_head(opened: OpenedRepository, plan: WorktreePlan, found: Situation) -> str | None:
    if found.recorded_base is None:
        return None
    last = read_last_head(found.registered.admin) if found.registered is not None else None
    for sha in filter(None, (last, read_ref(opened.common_dir, pushed_ref(plan.branch)))):
        if opened.ask("cat-file", "-e", f"{sha}^{{commit}}").code == 0:
            logger.warning("branch {} was gone and is back at {}", plan.branch, sha)
            return sha
    return None


def _refuse_name_in_the_way(plan: WorktreePlan, output: GitOutput) -> None:
    blocking = _NAME_IN_THE_WAY.search(output.stderr)
    if output.code != 0 and blocking is not None:
        name = blocking[1]
        raise WorktreeConflictError(
            f"branch {plan.branch} cannot exist beside branch {name}: to git one is a folder of the other; "
            f"rename that one: git branch --move {name} {name.replace('/', '-')}-old"
        )


def _delete_refs(opened: OpenedRepository, plan: WorktreePlan) -> None:
    refs = (branch_ref(plan.branch), worker_ref(plan.worker))
    opened.ask("update-ref", "--stdin", stdin="".join(f"delete {ref} {plan.base_sha}\n" for ref in refs))


def _remove_nameless(admin: Path) -> None:
    """A record that `git worktree add` was killed over before it wrote which folder it is for."""
    if admin.is_dir() and (admin / "locked").exists() and not (admin / "gitdir").exists():
        shutil.rmtree(admin)


def _check_out(opened: OpenedRepository, linked: LinkedWorktree) -> None:
    """Write the files, once: git writes the index last, so without one the checkout has not come to its end."""
    lock = RepositoryLock(linked.admin / "parallel-workers.lock")
    with lock.hold() as descriptor:
        if not linked.checked_out:
            linked.note_checking_out()
            reach("worktree.checking-out")
            # the lock is ours, so the git that held these was killed
            for stale in ("index.lock", "locked"):
                (linked.admin / stale).unlink(missing_ok=True)
            arguments = ("reset", "--hard", "--quiet", "--no-recurse-submodules")
            checked(opened.ask_in(opened.locate_linked(linked), *arguments, inherited_fds=(descriptor,)), arguments)
        linked.note_checked_out()


def _make_lost_index(opened: OpenedRepository, linked: LinkedWorktree) -> None:
    """An index as HEAD has it, for a worktree with somebody's work whose index a crash or a hand took away."""
    linked.note_checked_out()
    if not linked.checked_out:
        logger.warning("the index of {} was gone; it is made anew, and no file is changed", linked.path)
        # with a path given, it ends no merge or rebase that is under way
        opened.git_in(opened.locate_linked(linked), "reset", "--quiet", "--no-recurse-submodules", "HEAD", "--", ".")
