"""Submodules of a worktree: git keeps their repositories in its record, so that they go when it goes."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git import removal, seen_files
from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.adapters.git.seen_files import SeenFiles
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.committing import commit
from tests.git.conftest import MakePlan

ALLOW = ("-c", "protocol.file.allow=always", "submodule", "--quiet")


@pytest.fixture
def repository(clone: Path, tmp_path: Path, git: Git) -> GitPythonRepository:
    """The clone with a submodule, which has one of its own."""
    outer = tmp_path / "outer.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(tmp_path / "repo.git"), str(outer))
    git(tmp_path, "clone", "--quiet", str(outer), "filling")
    git(tmp_path / "filling", *ALLOW, "add", str(tmp_path / "repo.git"), "inner")
    (tmp_path / "filling/.gitignore").write_text("*.log\n", encoding="utf-8")
    git(tmp_path / "filling", "add", "--all")
    git(tmp_path / "filling", "commit", "--quiet", "--message", "inner")
    git(tmp_path / "filling", "push", "--quiet")
    git(clone, *ALLOW, "add", str(outer), "libs/module")
    git(clone, "commit", "--quiet", "--message", "module")
    return open_repository(clone)


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> WorktreePlan:
    """A worktree with all submodules checked out, and no work in any."""
    plan = make_plan(repository, keep_ignored=("*.keep.log",))
    repository.ensure_worktree(plan)
    git(plan.path, *ALLOW, "update", "--init", "--recursive")
    return plan


def test_one_without_work_goes(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    (plan.path / "libs/module/build.log").write_text("ignored", encoding="utf-8")

    assert repository.remove_worktree(plan.path) is None
    assert list(plan.path.parent.iterdir()) == []


@pytest.mark.parametrize("inside", ["libs/module", "libs/module/inner"])
def test_one_that_was_deleted_half_way_goes(
    repository: GitPythonRepository, plan: WorktreePlan, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """The rest of it is no repository that came late."""
    real = seen_files._delete_one

    def delete(root: str, name: str, opened: int, seen: SeenFiles) -> None:
        if root.endswith(f"/{inside}") and name == ".git":
            raise KeyboardInterrupt
        real(root, name, opened, seen)

    with monkeypatch.context() as patched:
        patched.setattr(seen_files, "_delete_one", delete)
        with pytest.raises(KeyboardInterrupt):
            repository.remove_worktree(plan.path)

    assert repository.remove_worktree(plan.path) is None
    assert list(plan.path.parent.iterdir()) == []


@pytest.mark.parametrize("inside", ["libs/module", "libs/module/inner"])
@pytest.mark.parametrize(
    "way",
    [
        ("submodule", "--quiet", "deinit", "--force", "libs/module"),
        ("rm", "--quiet", "--force", "libs/module"),
        ("switch", "--quiet", "--detach", "HEAD^"),
    ],
    ids=["deinit", "rm", "switched"],
)
def test_commits_of_one_that_is_not_checked_out_any_more(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, inside: str, way: tuple[str, ...]
) -> None:
    only_here = commit(git, plan.path / inside, "only here")
    git(plan.path, *way)
    shutil.rmtree(plan.path / "libs", ignore_errors=True)

    with pytest.raises(UnsavedWorkError, match=r"submodules that are not checked out.*push it") as refused:
        repository.remove_worktree(plan.path, force=True)

    module = plan.path / git(plan.path, "rev-parse", "--git-path", "modules/libs/module")
    place = module / "modules/inner" if inside.endswith("inner") else module
    assert str(place) in str(refused.value)
    look = ("--git-dir", str(place), "--work-tree", str(place))
    hint = str(refused.value).partition("Look at it (")[2].partition(")")[0]
    assert git(plan.path, *shlex.split(hint)[1:], "--format=%H") == only_here
    git(plan.path, *look, "push", "--quiet", "origin", f"{only_here}:refs/heads/saved")
    repository.remove_worktree(plan.path, force=True)
    assert not plan.path.exists()


@pytest.mark.parametrize("was_staged_only", [False, True])
def test_the_folder_is_gone(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, *, was_staged_only: bool
) -> None:
    module = plan.path / "libs/module"
    (module / "README.md").write_text("work", encoding="utf-8")
    git(module, "add", "README.md")
    if not was_staged_only:
        git(module, "commit", "--quiet", "--message", "work")
    shutil.rmtree(plan.path)

    assert repository.prune() == ()

    assert [worktree.path for worktree in repository.list_worktrees()] == [plan.path]
    with pytest.raises(UnsavedWorkError, match="submodules that are not checked out"):
        repository.remove_worktree(plan.path, force=True)


def test_a_commit_that_an_update_left_behind(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """HEAD is detached there: only the reflog knows it."""
    commit(git, plan.path / "libs/module", "left behind")
    git(plan.path, *ALLOW, "update")
    assert git(plan.path, "status", "--porcelain") == ""

    with pytest.raises(UnsavedWorkError, match=r"repositories of their own.*libs/module.*--reflog"):
        repository.remove_worktree(plan.path, force=True)


@pytest.mark.parametrize("inside", ["libs/module", "libs/module/inner"])
@pytest.mark.parametrize("point", ["removal.saved", "removal.noted"])
def test_what_is_written_in_one_during_the_removal(
    repository: GitPythonRepository, plan: WorktreePlan, monkeypatch: pytest.MonkeyPatch, inside: str, point: str
) -> None:
    late = plan.path / inside / "late.txt"

    def write(reached: str) -> None:
        if reached == point:
            late.write_text("late", encoding="utf-8")

    monkeypatch.setattr(removal, "reach", write)
    monkeypatch.setattr("parallel_workers.adapters.git.deletion.reach", write)
    with pytest.raises(UnsavedWorkError, match="libs/module"):
        repository.remove_worktree(plan.path, force=True)

    assert late.read_text(encoding="utf-8") == "late"


def _is_assumed(git: Git, module: Path) -> None:
    git(module, "update-index", "--assume-unchanged", "README.md")
    (module / "README.md").write_text("changed", encoding="utf-8")


def _is_staged(git: Git, module: Path) -> None:
    (module / "README.md").write_text("changed", encoding="utf-8")
    git(module, "add", "README.md")


def _is_listed(git: Git, module: Path) -> None:
    (module / "precious.keep.log").write_text("ignored, but listed", encoding="utf-8")


def _is_stashed(git: Git, module: Path) -> None:
    (module / "README.md").write_text("changed", encoding="utf-8")
    git(module, "stash", "--quiet")


def _is_a_clone(git: Git, module: Path) -> None:
    git(module, "init", "--quiet", "mine")


@pytest.mark.parametrize("change", [_is_assumed, _is_staged, _is_listed, _is_stashed, _is_a_clone])
def test_work_in_one_keeps_the_worktree(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, change: Callable[[Git, Path], None]
) -> None:
    change(git, plan.path / "libs/module")

    with pytest.raises(UnsavedWorkError, match=r"repositories of their own.*libs/module"):
        repository.remove_worktree(plan.path, force=True)

    assert plan.path.is_dir()


def test_files_where_one_would_be_are_saved(
    repository: GitPythonRepository, make_plan: MakePlan, tmp_path: Path, git: Git
) -> None:
    """A new worktree has an empty folder for each; git does not look into it, whatever is put there."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    (plan.path / "libs/module/deep").mkdir(parents=True)
    (plan.path / "libs/module/notes.txt").write_text("notes", encoding="utf-8")
    (plan.path / "libs/module/deep/link").symlink_to("/")
    assert git(plan.path, "status", "--porcelain") == ""

    with pytest.raises(UnsavedWorkError, match=r"libs/module/notes\.txt"):
        repository.remove_worktree(plan.path)
    assert repository.remove_worktree(plan.path, force=True) is not None

    (rescue,) = repository.list_rescues()
    repository.restore_rescue(rescue, "back", tmp_path / "back")
    assert (tmp_path / "back/libs/module/notes.txt").read_text(encoding="utf-8") == "notes"
    assert (tmp_path / "back/libs/module/deep/link").readlink() == Path("/")


def test_files_where_one_of_a_submodule_would_be(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git
) -> None:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    git(plan.path, *ALLOW, "update", "--init")
    (plan.path / "libs/module/inner/notes.txt").write_text("notes", encoding="utf-8")

    with pytest.raises(UnsavedWorkError, match=r"repositories of their own.*libs/module"):
        repository.remove_worktree(plan.path, force=True)


@pytest.fixture
def release(repository: GitPythonRepository, tmp_path: Path, git: Git) -> str:
    """A commit that the submodule's remote has a tag on, and no branch."""
    outer = tmp_path / "outer.git"
    released = git(outer, "commit-tree", "-p", "main", "-m", "release", "main^{tree}")
    git(outer, "tag", "--annotate", "--message", "v1", "releases/v1", released)
    return released


@pytest.mark.parametrize("way", ["as it is", "deinit", "prune", "made anew"])
def test_a_tag_of_the_remote_that_is_on_no_branch_is_no_work(
    release: str, repository: GitPythonRepository, plan: WorktreePlan, git: Git, way: str
) -> None:
    assert git(plan.path / "libs/module", "rev-parse", "releases/v1^{commit}") == release
    if way == "deinit":
        git(plan.path, *ALLOW, "deinit", "--force", "--all")
    if way in {"prune", "made anew"}:
        shutil.rmtree(plan.path)

    if way == "prune":
        assert [one.path for one in repository.prune()] == [plan.path]
    elif way == "made anew":
        repository.ensure_worktree(plan)
        assert (plan.path / "README.md").exists()
    else:
        assert repository.remove_worktree(plan.path) is None
        assert not plan.path.exists()


def test_a_tag_made_here_on_a_commit_that_was_taken_back(
    release: str, repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    module = plan.path / "libs/module"
    only_here = commit(git, module, "only here")
    git(module, "tag", "mine")
    git(module, "reset", "--quiet", "--hard", "HEAD^")

    with pytest.raises(UnsavedWorkError, match=r"repositories of their own.*libs/module") as refused:
        repository.remove_worktree(plan.path, force=True)

    command = str(refused.value).partition(f"git -C {module} log ")[2].partition(")")[0]
    assert git(module, "log", "--format=%H", *shlex.split(command)) == only_here


def test_the_files_of_one_whose_repository_was_taken_away(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path
) -> None:
    (plan.path / "libs/module/.git").unlink()
    (plan.path / "libs/module/inner/.git").unlink()
    (plan.path / "libs/module/README.md").write_text("changed", encoding="utf-8")

    repository.remove_worktree(plan.path, force=True)

    (rescue,) = repository.list_rescues()
    repository.restore_rescue(rescue, "back", tmp_path / "back")
    assert (tmp_path / "back/libs/module/README.md").read_text(encoding="utf-8") == "changed"
    assert (tmp_path / "back/libs/module/inner/README.md").exists()


def test_a_file_where_one_would_be(repository: GitPythonRepository, make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    (plan.path / "libs/module").rmdir()
    (plan.path / "libs/module").write_text("a file", encoding="utf-8")

    repository.remove_worktree(plan.path, force=True)

    (rescue,) = repository.list_rescues()
    repository.restore_rescue(rescue, "back", tmp_path / "back")
    assert (tmp_path / "back/libs/module").read_text(encoding="utf-8") == "a file"
