"""New worktrees, and refusal of what is somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.errors import UsageError, WorktreeConflictError
from parallel_workers.identity import worker_ref
from tests.conftest import Git
from tests.git.conftest import MakePlan


def test_makes_branch_worktree_and_mark(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    plan = make_plan(repository)

    ensured = repository.ensure_worktree(plan)

    assert ensured == (plan.path, plan.branch, plan.base_sha, False)
    assert git(plan.path, "status", "--porcelain", "--branch") == f"## {plan.branch}"
    assert (plan.path / "src/one.txt").read_text(encoding="utf-8") == "1\n"
    assert git(repository.path, "rev-parse", plan.branch, worker_ref(plan.worker)).split() == [plan.base_sha] * 2
    assert plan.branch not in git(repository.path, "config", "--list"), "no upstream: it would fight for config.lock"
    (listed,) = repository.list_worktrees()
    assert listed == (plan.path, plan.base_sha, plan.branch, False, False, plan.worker)


def test_the_main_checkout_stays_as_it_was(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    before = (git(repository.path, "status", "--porcelain=v2", "--branch"), git(repository.path, "config", "--list"))

    repository.ensure_worktree(make_plan(repository))

    after = (git(repository.path, "status", "--porcelain=v2", "--branch"), git(repository.path, "config", "--list"))
    assert after == before


def test_spaces_and_letters_of_the_world(
    make_repository: Callable[..., Path], make_plan: MakePlan, tmp_path: Path, git: Git
) -> None:
    repository = open_repository(make_repository("my répo 日本", {"ä ö/ü.txt": "1\n"}, bare_remote=True))
    plan = make_plan(repository, path=tmp_path / "wörk trees" / "$HOME" / "ä b")

    repository.ensure_worktree(plan)
    (plan.path / "ñ.txt").write_text("x", encoding="utf-8")

    assert repository.get_status(plan.path, plan.base_sha).untracked == ("ñ.txt",)
    assert repository.commit_all(plan.path, "ünïcode") is not None
    repository.push_branch(plan.branch)
    git(repository.path, "push", "--quiet", "origin", f"{plan.branch}:main")
    assert repository.remove_worker(plan, git(repository.path, "rev-parse", plan.branch)) is None
    assert not plan.path.exists()


def test_a_bare_repository(clone: Path, tmp_path: Path, make_plan: MakePlan) -> None:
    repository = open_repository(tmp_path / "repo.git")
    # HEAD of a bare repository names main, and yet main is checked out nowhere
    plan = make_plan(repository)

    assert not repository.ensure_worktree(plan).adopted
    assert (plan.path / "README.md").exists()
    assert repository.get_status(plan.path, plan.base_sha).clean
    repository.remove_worker(plan, plan.base_sha)
    assert repository.list_worktrees() == ()


def test_a_sparse_checkout(make_repository: Callable[..., Path], make_plan: MakePlan, git: Git) -> None:
    files = {"README.md": "r\n", "one/a.txt": "a\n", "two/b.txt": "b\n"}
    repository = open_repository(make_repository(files=files))
    plan = make_plan(repository, paths=("one",))

    repository.ensure_worktree(plan)

    assert sorted(path.name for path in plan.path.iterdir()) == [".git", "README.md", "one"]
    assert repository.get_status(plan.path, plan.base_sha).clean
    (plan.path / "three").mkdir()
    (plan.path / "three/new.txt").write_text("outside what it was given", encoding="utf-8")
    assert repository.commit_all(plan.path, "x") is not None
    assert git(repository.path, "ls-tree", "-r", "--name-only", plan.branch).split() == [
        "README.md", "one/a.txt", "three/new.txt", "two/b.txt",
    ]  # fmt: skip
    assert (repository.path / "two/b.txt").exists(), "the main checkout is not made sparse"


def test_an_empty_folder_is_taken(repository: GitPythonRepository, make_plan: MakePlan) -> None:
    plan = make_plan(repository)
    plan.path.mkdir(parents=True)

    repository.ensure_worktree(plan)

    assert (plan.path / "README.md").exists()


def test_a_folder_with_content_is_refused_and_kept(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git
) -> None:
    plan = make_plan(repository)
    plan.path.mkdir(parents=True)
    (plan.path / "mine.txt").write_text("precious", encoding="utf-8")

    with pytest.raises(WorktreeConflictError, match=f"Move it away: mv '{plan.path}'"):
        repository.ensure_worktree(plan)

    assert (plan.path / "mine.txt").read_text(encoding="utf-8") == "precious"
    assert git(repository.path, "for-each-ref", "refs/heads/feature", "refs/parallel-workers") == ""


def test_a_file_or_a_link_in_the_way_is_refused(
    repository: GitPythonRepository, make_plan: MakePlan, tmp_path: Path
) -> None:
    plan, linked = make_plan(repository), make_plan(repository, "TASK-2")
    plan.path.parent.mkdir(parents=True)
    plan.path.write_text("a file", encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    linked.path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(WorktreeConflictError, match="is no folder"):
        repository.ensure_worktree(plan)
    with pytest.raises(WorktreeConflictError, match="is a symbolic link"):
        repository.ensure_worktree(linked)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_branch_that_is_not_ours_is_refused(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    plan = make_plan(repository)
    git(repository.path, "branch", plan.branch)

    with pytest.raises(WorktreeConflictError, match=f"git branch --move {plan.branch} {plan.branch}-old"):
        repository.ensure_worktree(plan)

    assert not plan.path.exists()
    assert git(repository.path, "for-each-ref", "refs/parallel-workers") == ""


def test_somebody_elses_worktree_at_the_path_is_refused(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git
) -> None:
    plan = make_plan(repository)
    git(repository.path, "worktree", "add", "--quiet", "-b", "theirs", str(plan.path))

    with pytest.raises(
        WorktreeConflictError, match=f"for theirs is registered at .* git worktree remove '{plan.path}'"
    ):
        repository.ensure_worktree(plan)
    assert (plan.path / "README.md").exists()


def test_another_workers_worktree_is_refused(repository: GitPythonRepository, make_plan: MakePlan) -> None:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)

    with pytest.raises(WorktreeConflictError, match="worker-00000000 did not make it"):
        repository.ensure_worktree(plan._replace(worker="worker-00000000"))


@pytest.mark.parametrize("inside", [".", "inside", ".git/inside"])
def test_a_path_inside_the_repository_is_refused(
    repository: GitPythonRepository, make_plan: MakePlan, inside: str
) -> None:
    with pytest.raises(UsageError, match="is inside the repository"):
        repository.ensure_worktree(make_plan(repository, path=repository.path / inside))


@pytest.mark.parametrize(("theirs", "named"), [("feature", "feature"), ("feature/task-1/part", "feature/task-1/part")])
def test_a_branch_name_that_blocks_ours(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git, theirs: str, named: str
) -> None:
    git(repository.path, "branch", theirs)

    with pytest.raises(WorktreeConflictError, match=f"cannot exist beside branch {named}:.*git branch --move {named}"):
        repository.ensure_worktree(make_plan(repository))
    assert git(repository.path, "for-each-ref", "refs/parallel-workers") == ""


def test_nothing_is_left_when_git_refuses(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    """Here: a file where a parent folder of git's record should be."""
    (repository.common_dir / "worktrees").write_text("", encoding="utf-8")
    plan = make_plan(repository)

    with pytest.raises(Exception, match="worktree add"):
        repository.ensure_worktree(plan)

    assert git(repository.path, "for-each-ref", "refs/heads/feature", "refs/parallel-workers") == ""


def test_list_tells_locked_gone_and_detached(
    repository: GitPythonRepository, tmp_path: Path, make_plan: MakePlan, git: Git
) -> None:
    sha = git(repository.path, "rev-parse", "HEAD")
    git(repository.path, "worktree", "add", "--quiet", "--detach", str(tmp_path / "a"))
    git(repository.path, "worktree", "add", "--quiet", "--lock", "-b", "b", str(tmp_path / "b"))
    git(repository.path, "worktree", "add", "--quiet", "-b", "c", str(tmp_path / "c"))
    (tmp_path / "c").rename(tmp_path / "moved")

    assert repository.list_worktrees() == (
        (tmp_path / "a", sha, None, False, False, None),
        (tmp_path / "b", sha, "b", True, False, None),
        (tmp_path / "c", sha, "c", False, True, None),
    )
