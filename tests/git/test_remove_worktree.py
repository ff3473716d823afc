"""Removing a worktree never loses what is saved nowhere else."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from loguru import logger

from parallel_workers.adapters.git import deletion, removal
from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.adapters.git.seen_files import SeenFiles
from parallel_workers.errors import ParallelWorkersError, UnsavedWorkError, UsageError, WorktreeConflictError
from parallel_workers.worktrees import ForgottenWorktree, WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree that exists."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


def leave_unsaved(plan: WorktreePlan) -> None:
    """Changed, deleted, untracked and ignored files."""
    (plan.path / "README.md").write_text("changed", encoding="utf-8")
    (plan.path / "src/one.txt").unlink()
    (plan.path / "new.txt").write_text("new", encoding="utf-8")
    (plan.path / ".gitignore").write_text("*.log", encoding="utf-8")
    (plan.path / "x.log").write_text("ignored", encoding="utf-8")


def test_a_clean_one_goes_and_its_branch_stays(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    assert repository.remove_worktree(plan.path) is None

    assert not plan.path.exists()
    assert repository.list_worktrees() == ()
    assert git(repository.path, "rev-parse", plan.branch) == plan.base_sha


def test_unsaved_work_is_refused_and_named(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    leave_unsaved(plan)

    with pytest.raises(UnsavedWorkError, match=r"README\.md, src/one\.txt, \.gitignore, new\.txt\. Commit it \(git -C"):
        repository.remove_worktree(plan.path)

    assert (plan.path / "new.txt").read_text(encoding="utf-8") == "new"


def test_many_files_are_counted(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    for number in range(9):
        (plan.path / f"{number}.txt").write_text("", encoding="utf-8")

    with pytest.raises(UnsavedWorkError, match=r"0\.txt, .*, 4\.txt and 4 more"):
        repository.remove_worktree(plan.path)


def test_force_saves_it_to_a_rescue_ref(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    leave_unsaved(plan)

    ref = repository.remove_worktree(plan.path, force=True)

    assert ref is not None
    assert re.fullmatch(rf"refs/parallel-workers/rescue/{plan.worker}/\d{{8}}T\d{{6}}\.\d{{6}}Z", ref)
    assert not plan.path.exists()
    assert git(repository.path, "show", f"{ref}:README.md") == "changed"
    assert git(repository.path, "show", f"{ref}:new.txt") == "new"
    assert git(repository.path, "ls-tree", "-r", "--name-only", ref).split() == [".gitignore", "README.md", "new.txt"]
    assert git(repository.path, "rev-parse", f"{ref}^") == plan.base_sha
    assert git(repository.path, "rev-parse", plan.branch) == plan.base_sha


def test_a_sparse_worktree_is_saved_whole(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    plan = make_plan(repository, "TASK-2", paths=("docs",))
    repository.ensure_worktree(plan)
    (plan.path / "other").mkdir()
    (plan.path / "other/new.txt").write_text("new", encoding="utf-8")

    ref = repository.remove_worktree(plan.path, force=True)

    assert git(repository.path, "ls-tree", "-r", "--name-only", str(ref)).split() == [
        "README.md", "other/new.txt", "src/one.txt",
    ]  # fmt: skip


def test_a_commit_on_no_branch_is_unsaved_work(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(plan.path, "switch", "--quiet", "--detach")
    git(plan.path, "commit", "--quiet", "--allow-empty", "--message", "on no branch")
    loose = git(plan.path, "rev-parse", "HEAD")

    with pytest.raises(UnsavedWorkError, match=f"commit {loose[:12]}, which is on no branch"):
        repository.remove_worktree(plan.path)
    ref = repository.remove_worktree(plan.path, force=True)

    assert git(repository.path, "rev-parse", f"{ref}^") == loose


def test_a_locked_one_only_by_force(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(repository.path, "worktree", "lock", "--reason", "in use", str(plan.path))

    with pytest.raises(WorktreeConflictError, match=r"is locked .in use.*git worktree unlock"):
        repository.remove_worktree(plan.path)
    assert plan.path.exists()
    assert repository.remove_worktree(plan.path, force=True) is None
    assert not plan.path.exists()


def test_only_linked_worktrees_of_this_repository(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path, git: Git
) -> None:
    (tmp_path / "link").symlink_to(plan.path)
    (tmp_path / "folder").mkdir()
    git(tmp_path, "clone", "--quiet", str(repository.path), "other")

    for path, said in (
        (repository.path, "is the main checkout"),
        (tmp_path / "link", "is a symbolic link"),
        (tmp_path / "folder", "is no worktree of"),
        (tmp_path / "other", "is no worktree of"),
        (plan.path / "src", "is no worktree of"),
        (tmp_path / "nothing", "is no worktree of"),
    ):
        with pytest.raises(UsageError, match=said):
            repository.remove_worktree(path, force=True)
        assert path.exists() or path.name == "nothing"


def test_links_in_it_are_removed_and_not_followed(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("x", encoding="utf-8")
    (plan.path / "link").symlink_to(tmp_path / "precious")

    repository.remove_worktree(plan.path, force=True)

    assert (tmp_path / "precious/file").exists()


@pytest.mark.parametrize("pointer", [None, "gitdir: /nowhere\n"])
def test_a_worktree_whose_git_file_was_tampered_with_is_left_until_it_is_repaired(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, pointer: str | None
) -> None:
    (plan.path / "new.txt").write_text("new", encoding="utf-8")
    (plan.path / ".git").unlink()
    if pointer:
        (plan.path / ".git").write_text(pointer, encoding="utf-8")
    with pytest.raises(WorktreeConflictError, match=r"left as it is\. .*: git worktree repair"):
        repository.remove_worktree(plan.path, force=True)

    git(repository.path, "worktree", "repair")
    ref = repository.remove_worktree(plan.path, force=True)

    assert git(repository.path, "show", f"{ref}:new.txt") == "new"
    assert not plan.path.exists()
    assert repository.list_worktrees() == ()


def test_one_whose_folder_is_gone_is_forgotten(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    shutil.rmtree(plan.path)

    assert repository.remove_worktree(plan.path) is None
    assert repository.list_worktrees() == ()


def test_submodules(repository: GitPythonRepository, make_plan: MakePlan, tmp_path: Path, git: Git) -> None:
    """git itself refuses to remove a worktree that holds a submodule."""
    allow = ("-c", "protocol.file.allow=always", "submodule", "--quiet")
    git(repository.path, *allow, "add", str(tmp_path / "repo.git"), "module")
    git(repository.path, "commit", "--quiet", "--message", "module")
    reopened = open_repository(repository.path)
    clean, dirty = make_plan(reopened, "TASK-2"), make_plan(reopened, "TASK-3")
    for plan in (clean, dirty):
        reopened.ensure_worktree(plan)
        git(plan.path, *allow, "update", "--init")
    (dirty.path / "module/README.md").write_text("unsaved", encoding="utf-8")

    assert reopened.remove_worktree(clean.path) is None
    with pytest.raises(UnsavedWorkError, match="module"):
        reopened.remove_worktree(dirty.path)

    assert not clean.path.exists()
    assert (dirty.path / "module/README.md").read_text(encoding="utf-8") == "unsaved"


def test_prune_forgets_only_what_is_gone(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    gone, locked, without_git_file, there = (make_plan(repository, f"TASK-{number}") for number in range(4))
    for plan in (gone, locked, without_git_file, there):
        repository.ensure_worktree(plan)
    git(repository.path, "worktree", "lock", str(locked.path))
    shutil.rmtree(gone.path)
    shutil.rmtree(locked.path)
    (without_git_file.path / ".git").unlink()

    assert repository.prune() == (ForgottenWorktree(gone.path, None),)
    assert repository.prune() == ()

    assert {worktree.path for worktree in repository.list_worktrees()} == {
        locked.path, without_git_file.path, there.path,
    }  # fmt: skip
    assert git(repository.path, "rev-parse", gone.branch), "branches stay"


def test_another_workers_worktree_is_kept(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    with pytest.raises(WorktreeConflictError, match=f"is kept: it is the worktree of {plan.worker} by now"):
        repository.remove_worktree(plan.path, force=True, worker="worker-of-an-older-batch")
    assert plan.path.is_dir()
    assert repository.remove_worktree(plan.path, worker=plan.worker) is None


def test_what_is_written_while_it_is_deleted_is_saved_at_the_next_try(
    repository: GitPythonRepository,
    plan: WorktreePlan,
    git: Git,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (plan.path / "early.txt").write_text("early", encoding="utf-8")
    real = deletion.delete_tree

    def write_late(entry: Path, seen: SeenFiles) -> None:
        real(entry, seen)
        (entry.parent / "late.txt").write_text("late", encoding="utf-8")

    with monkeypatch.context() as patched:
        patched.setattr(deletion, "delete_tree", write_late)
        with pytest.raises(ParallelWorkersError, match="something still writes to it"):
            repository.remove_worktree(plan.path, force=True)
    said: list[str] = []
    sink = logger.add(said.append)
    (gone,) = repository.prune()
    logger.remove(sink)
    assert gone.rescue_ref is not None
    assert git(repository.path, "show", f"{gone.rescue_ref}:late.txt") == "late"
    (first,) = (rescue.ref for rescue in repository.list_rescues() if rescue.ref != gone.rescue_ref)
    assert git(repository.path, "show", f"{first}:early.txt") == "early"
    assert f"saved as {first}" in "".join(said), "it has what was deleted meanwhile"
    assert repository.list_worktrees() == ()


@pytest.mark.parametrize("name", ["README.md", "folder/new.txt", "untracked.txt"])
def test_what_changes_after_the_last_look_is_not_deleted(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A program that had the file open writes to it, wherever the folder is by then."""
    (plan.path / "untracked.txt").write_text("early", encoding="utf-8")
    (plan.path / "folder").mkdir()
    open_folder = os.open(plan.path, os.O_RDONLY)

    def write_late(point: str) -> None:
        if point == "removal.looked-again":
            opened = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, dir_fd=open_folder)
            os.write(opened, b"later")
            os.close(opened)

    with monkeypatch.context() as patched:
        patched.setattr(removal, "reach", write_late)
        with pytest.raises(ParallelWorkersError, match="something still writes to it"):
            repository.remove_worktree(plan.path, force=True)
    os.close(open_folder)
    (gone,) = repository.prune()
    assert git(repository.path, "show", f"{gone.rescue_ref}:{name}") == "later"


def test_files_with_several_names_and_links_are_deleted(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("stays", encoding="utf-8")
    (plan.path / "one").hardlink_to(outside)
    (plan.path / "two").hardlink_to(outside)
    (plan.path / "folder").symlink_to(tmp_path)
    (plan.path / "deep/er").mkdir(parents=True)
    (plan.path / "deep/er/nowhere").symlink_to("gone")
    (plan.path / "deep").chmod(0o500)
    repository.remove_worktree(plan.path, force=True)
    assert not plan.path.exists()
    assert outside.read_text(encoding="utf-8") == "stays"
    assert repository.list_worktrees() == ()


def test_a_link_in_the_place_of_ended_records_is_not_followed(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "precious-0123abcd").mkdir(parents=True)
    link = repository.path / ".git/parallel-workers-removed"
    link.symlink_to(outside)
    with pytest.raises(ParallelWorkersError, match="symbolic link, which we did not make"):
        repository.remove_worktree(plan.path)
    repository.prune()
    assert (outside / "precious-0123abcd").is_dir()
    link.unlink()
    repository.prune()
    assert repository.list_worktrees() == ()


def test_commits_that_only_our_own_marks_hold_are_saved(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    (plan.path / "work.txt").write_text("work", encoding="utf-8")
    sha = str(repository.commit_all(plan.path, "work"))
    git(repository.path, "update-ref", f"refs/parallel-workers/pushed/{plan.branch}", sha)
    git(plan.path, "switch", "--quiet", "--detach")
    git(repository.path, "branch", "--quiet", "--force", plan.branch, plan.base_sha)
    ref = repository.remove_worktree(plan.path, force=True)
    assert ref is not None
    assert sha in git(repository.path, "rev-list", ref).split()


def test_a_file_whose_name_differs_in_case_only_is_saved(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    git(repository.path, "config", "core.ignoreCase", "true")
    (plan.path / "readme.MD").write_text("another", encoding="utf-8")
    ref = repository.remove_worktree(plan.path, force=True)
    assert ref is not None
    assert git(repository.path, "show", f"{ref}:readme.MD") == "another"
