"""Each kind of leftover, made for real: it is found, and what may be removed is removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_workers.adapters.git.deletion import move_aside
from parallel_workers.adapters.git.layout import linked_worktrees
from parallel_workers.adapters.git.leftovers import Leftovers, find_strays
from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.decisions.health_of_repository import check_folders
from parallel_workers.errors import UsageError
from parallel_workers.health import LockFile, RegisteredWorktree, StrayFolder
from parallel_workers.identity import worker_id
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan
from tests.unit.healthy import HEALTHY


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree that exists."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


def the_worktree(clone: Path) -> RegisteredWorktree:
    (found,) = Leftovers(clone).look().worktrees
    return found


def make_lock(file: Path, age_seconds: float = 0.0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    then = time.time() - age_seconds
    os.utime(file, (then, then))
    return file


def test_a_repository_without_leftovers(clone: Path, plan: WorktreePlan) -> None:
    facts = Leftovers(clone).look()
    assert (facts.path, facts.locks, facts.lock_held_by, facts.branches) == (clone, (), (), ())
    assert facts.marks == (plan.worker,)
    assert facts.worktrees == (
        RegisteredWorktree(plan.path, plan.worker, plan.branch, exists=True, parent_exists=True),
    )
    assert find_strays(plan.path.parents[1]) == ()


@pytest.mark.parametrize(
    "name", ["index.lock", "config.lock", "packed-refs.lock", "HEAD.lock", "refs/heads/feature/x.lock"]
)
def test_a_lock_file_is_found_with_its_age_and_removed(clone: Path, git: Git, name: str) -> None:
    file = make_lock(clone / ".git" / name, 4000)
    leftovers = Leftovers(clone)
    (lock,) = leftovers.look().locks
    assert lock.path == file
    assert 3990 < lock.age_seconds < 4100
    assert (lock.held_by, lock.shared) == ((), False)
    assert leftovers.remove_lock(file)
    assert not file.exists()
    assert not leftovers.remove_lock(file)
    git(clone, "commit", "--allow-empty", "--quiet", "--message", "it works again")


def test_a_lock_file_in_a_linked_worktree_is_found_and_ours_never_is(clone: Path, plan: WorktreePlan) -> None:
    admin = clone / ".git" / "worktrees" / plan.path.name
    file = make_lock(admin / "index.lock")
    assert (admin / "parallel-workers.lock").exists()
    assert [lock.path for lock in Leftovers(clone).look().locks] == [file]


def test_a_lock_file_that_is_new_by_now_is_left(clone: Path) -> None:
    file = make_lock(clone / ".git" / "index.lock", 30)
    assert not Leftovers(clone).remove_lock(file)
    assert file.exists()


def test_what_is_no_lock_file_of_git_is_never_removed(clone: Path) -> None:
    precious = clone / "poetry.lock"
    precious.touch()
    assert not Leftovers(clone).remove_lock(precious)
    assert not Leftovers(clone).remove_lock(clone / ".git" / "parallel-workers.lock")
    assert precious.exists()


@pytest.fixture
def editing(clone: Path, tmp_path: Path, git: Git) -> Iterator[Path]:
    """The lock file of a `git commit` that waits for its editor."""
    ready = tmp_path / "ready"
    (clone / "README.md").write_text("changed\n")
    editor = f"sh -c 'touch \"{ready}\"; exec sleep 60'"
    command = ["git", "-C", str(clone), "-c", f"core.editor={editor}", "commit", "--all"]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while not ready.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        yield clone / ".git" / "index.lock"
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def test_a_lock_that_a_living_git_holds_is_told_as_held(clone: Path, editing: Path) -> None:
    make_lock(editing, 4000)
    leftovers = Leftovers(clone)
    (lock,) = leftovers.look().locks
    assert not leftovers.remove_lock(editing)
    assert editing.exists()
    assert any("git" in holder for holder in lock.held_by)


def test_a_lock_that_any_process_has_open_is_told_as_held(clone: Path) -> None:
    file = make_lock(clone / ".git" / "index.lock", 4000)
    with file.open() as opened, subprocess.Popen(["sleep", "60"], stdin=opened) as other:
        (lock,) = Leftovers(clone).look().locks
        other.kill()
    assert lock.held_by == (f"sleep (process {other.pid})",)
    assert isinstance(lock, LockFile)


def test_who_holds_our_own_lock_is_named(clone: Path) -> None:
    file = clone / ".git" / "parallel-workers.lock"
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with subprocess.Popen(["sleep", "60"], stdout=held) as other:
            facts = Leftovers(clone).look()
            other.kill()
    assert facts.lock_held_by == (f"sleep (process {other.pid})",)
    assert Leftovers(clone).look().lock_held_by == ()


def test_a_worktree_whose_folder_is_gone_is_forgotten_and_keeps_its_branch(
    clone: Path, plan: WorktreePlan, git: Git
) -> None:
    shutil.rmtree(plan.path)
    found = the_worktree(clone)
    assert (found.exists, found.parent_exists) == (False, True)
    leftovers = Leftovers(clone)
    assert leftovers.forget(plan.path)
    assert not leftovers.forget(plan.path)
    assert leftovers.look().worktrees == ()
    assert git(clone, "rev-parse", plan.branch) == plan.base_sha


def test_what_was_staged_and_commits_of_a_lost_branch_are_saved_before_it_is_forgotten(
    clone: Path, repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    (plan.path / "kept.txt").write_text("kept", encoding="utf-8")
    sha = repository.commit_all(plan.path, "work")
    (plan.path / "staged.txt").write_text("staged", encoding="utf-8")
    git(plan.path, "add", "staged.txt")
    staged = git(plan.path, "rev-parse", ":staged.txt")
    git(clone, "update-ref", "-d", f"refs/heads/{plan.branch}")
    shutil.rmtree(plan.path)
    assert Leftovers(clone).forget(plan.path)
    (rescue,) = repository.list_rescues()
    saved = git(clone, "rev-list", "--objects", "--no-object-names", rescue.ref).splitlines()
    assert {str(sha), staged} <= set(saved)


def test_one_that_is_there_again_locked_or_detached_is_not_forgotten(clone: Path, plan: WorktreePlan, git: Git) -> None:
    leftovers = Leftovers(clone)
    assert not leftovers.forget(plan.path)
    git(plan.path, "switch", "--quiet", "--detach")
    shutil.rmtree(plan.path)
    assert the_worktree(clone).branch is None
    assert not leftovers.forget(plan.path)
    git(clone, "worktree", "lock", "--reason", "on a stick", str(plan.path))
    assert the_worktree(clone).lock_reason == "on a stick"
    assert not leftovers.forget(plan.path)
    assert len(leftovers.look().worktrees) == 1


def test_a_half_made_worktree_is_told(clone: Path, plan: WorktreePlan) -> None:
    (clone / ".git" / "worktrees" / plan.path.name / "locked").write_text("initializing")
    assert the_worktree(clone).half_made


def test_a_worktree_made_by_hand_is_known_as_such(
    clone: Path, repository: GitPythonRepository, make_plan: MakePlan
) -> None:
    worker = worker_id(repository.identity, "worktree", "TASK-1")
    repository.ensure_worktree(make_plan(repository, worker=worker))
    assert the_worktree(clone).by_hand


def test_branches_that_look_like_ours(clone: Path, plan: WorktreePlan, git: Git) -> None:
    git(clone, "branch", "feature/from-our-base", plan.base_sha)
    git(clone, "update-ref", "refs/parallel-workers/pushed/feature/pushed", plan.base_sha)
    git(clone, "branch", "feature/pushed", plan.base_sha)
    git(clone, "branch", "other/name", plan.base_sha)
    git(clone, "switch", "--quiet", "--orphan", "feature/theirs")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "of their own")
    git(clone, "switch", "--quiet", "main")
    found = {one.name: (one.marks, one.pushed) for one in Leftovers(clone).look().branches}
    assert found == {"feature/from-our-base": ((plan.worker,), False), "feature/pushed": ((plan.worker,), True)}


def test_folders_that_are_no_worktree(clone: Path, plan: WorktreePlan, git: Git) -> None:
    root = plan.path.parents[1]
    files, empty, clone_there = root / "project" / "files", root / "project" / "empty", root / "mine"
    for folder in (files, empty, clone_there):
        folder.mkdir()
    (files / "work.txt").touch()
    shutil.copytree(files, files.with_name("files.old"))  # where the mend puts it
    git(clone_there, "init", "--quiet")
    (clone_there / "src").mkdir()
    (clone_there / "src" / "a.txt").touch()
    (root / "project" / "link").symlink_to(clone)
    assert find_strays(root) == (StrayFolder(files),)


def test_a_worktree_that_was_moved_and_one_whose_record_is_gone(clone: Path, plan: WorktreePlan, git: Git) -> None:
    root, moved = plan.path.parents[1], plan.path.with_name("moved")
    plan.path.rename(moved)
    (stray,) = find_strays(root)
    assert stray == StrayFolder(moved, clone, plan.path)
    git(clone, "worktree", "repair", str(moved))
    assert find_strays(root) == ()
    shutil.rmtree(clone / ".git" / "worktrees" / plan.path.name)
    assert find_strays(root) == (StrayFolder(moved),)


@pytest.mark.parametrize("lost_its_pointer", [False, True])
def test_what_a_removal_that_was_cut_short_left(clone: Path, plan: WorktreePlan, *, lost_its_pointer: bool) -> None:
    leftovers, root = Leftovers(clone), plan.path.parents[1]
    (linked,) = linked_worktrees(clone / ".git")
    aside = move_aside(linked, None).aside
    if lost_its_pointer:
        (aside / ".git").unlink()

    repository = None if lost_its_pointer else clone
    assert find_strays(root) == (StrayFolder(aside, repository, removed_from=plan.path),)

    facts = HEALTHY._replace(repository=leftovers.look(), strays=find_strays(root), runs=())
    (finding,) = check_folders(facts)
    assert finding.mend == f"parallel-workers worktree prune --repository {clone}"
    leftovers.git.prune()
    assert find_strays(root) == ()


def test_without_a_root_there_are_no_folders(tmp_path: Path) -> None:
    assert find_strays(tmp_path / "nowhere") == ()


def test_outside_of_a_repository_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not in a git repository"):
        Leftovers(tmp_path)
