"""After a merge everything of a worker goes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git import deletion
from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.adapters.git.seen_files import SeenFiles
from parallel_workers.errors import GitCommandError
from parallel_workers.identity import worker_ref
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """The bare repository that is `origin`."""
    return tmp_path / "repo.git"


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree with one commit, pushed."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    (plan.path / "work.txt").write_text("work", encoding="utf-8")
    repository.commit_all(plan.path, "work")
    repository.push_branch(plan.branch)
    return plan


@pytest.fixture
def head(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> str:
    """Where the branch is, and what was merged, on the remote."""
    git(repository.path, "push", "--quiet", "origin", f"{plan.branch}:main")
    return git(repository.path, "rev-parse", plan.branch)


def refs(git: Git, path: Path) -> list[str]:
    """Every ref but main and the remote's."""
    names = git(path, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/parallel-workers").split()
    return [name for name in names if name != "refs/heads/main"]


def test_all_of_it_goes(repository: GitPythonRepository, plan: WorktreePlan, head: str, remote: Path, git: Git) -> None:
    assert repository.remove_worker(plan, head) is None

    assert not plan.path.exists()
    assert refs(git, repository.path) == []
    assert refs(git, remote) == []
    assert git(repository.path, "status", "--porcelain") == ""


def test_again_is_harmless(repository: GitPythonRepository, plan: WorktreePlan, head: str) -> None:
    repository.remove_worker(plan, head)

    assert repository.remove_worker(plan, head) is None
    assert not repository.ensure_worktree(plan).adopted, "and the task can be begun anew"


def test_a_branch_the_forge_deleted_is_fine(
    repository: GitPythonRepository, plan: WorktreePlan, head: str, remote: Path, git: Git
) -> None:
    git(remote, "branch", "-D", plan.branch)

    repository.remove_worker(plan, head)

    assert refs(git, repository.path) == []


def test_leftovers_are_saved(repository: GitPythonRepository, plan: WorktreePlan, head: str, git: Git) -> None:
    (plan.path / "late.txt").write_text("written after the merge", encoding="utf-8")

    ref = repository.remove_worker(plan, head)

    assert ref is not None
    assert refs(git, repository.path) == [ref]
    assert git(repository.path, "show", f"{ref}:late.txt") == "written after the merge"


def test_a_branch_that_went_on_is_kept(
    repository: GitPythonRepository, plan: WorktreePlan, head: str, remote: Path, git: Git
) -> None:
    (plan.path / "late.txt").write_text("committed after the merge", encoding="utf-8")
    late = repository.commit_all(plan.path, "late")

    repository.remove_worker(plan, head)

    assert not plan.path.exists()
    assert git(repository.path, "rev-parse", plan.branch) == late
    assert refs(git, remote) == [], "there it is still what was merged"


def test_a_remote_branch_that_went_on_is_kept(
    repository: GitPythonRepository, plan: WorktreePlan, head: str, remote: Path, git: Git
) -> None:
    theirs = git(remote, "commit-tree", "-p", head, "-m", "theirs", f"{head}^{{tree}}")
    git(remote, "update-ref", f"refs/heads/{plan.branch}", theirs)

    repository.remove_worker(plan, head)

    assert git(remote, "rev-parse", plan.branch) == theirs
    assert refs(git, repository.path) == []


def test_a_branch_checked_out_in_the_main_checkout_is_kept(
    repository: GitPythonRepository, plan: WorktreePlan, head: str, git: Git
) -> None:
    git(repository.path, "switch", "--quiet", "--ignore-other-worktrees", plan.branch)

    repository.remove_worker(plan, head)

    assert git(repository.path, "rev-parse", "HEAD") == head
    assert git(repository.path, "status", "--porcelain") == ""


def test_an_unreachable_remote_can_be_tried_again(
    repository: GitPythonRepository, plan: WorktreePlan, head: str, remote: Path, git: Git
) -> None:
    remote.rename(remote.with_name("away.git"))
    with pytest.raises(GitCommandError):
        repository.remove_worker(plan, head)
    assert git(repository.path, "rev-parse", plan.branch, worker_ref(plan.worker))
    remote.with_name("away.git").rename(remote)

    repository.remove_worker(plan, head)

    assert refs(git, remote) == refs(git, repository.path) == []


@pytest.mark.parametrize("pushed_and_taken_back", [True, False])
def test_what_the_remote_has_not_is_not_merged(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, *, pushed_and_taken_back: bool
) -> None:
    head, clone = git(repository.path, "rev-parse", plan.branch), repository.path
    git(clone, "merge", "--quiet", "--squash", plan.branch)
    git(clone, "commit", "--quiet", "--message", "squashed here")
    if pushed_and_taken_back:
        git(clone, "push", "--quiet", "origin", "main")
        git(clone, "push", "--quiet", "--force", "origin", "main~1:main")
        git(clone, "update-ref", "refs/remotes/origin/main", "main")

    ref = repository.remove_worker(plan, head)

    assert ref is not None, "neither the branch here nor what was fetched once says how the remote is now"
    assert head in git(clone, "rev-list", ref).splitlines()
    assert git(clone, "rev-parse", "refs/remotes/origin/main") == git(clone, "rev-parse", "main~1")


@pytest.mark.parametrize("squashed", [True, False])
def test_without_a_remote_the_branch_here_is_the_base(
    make_repository: Callable[..., Path], make_plan: MakePlan, git: Git, *, squashed: bool
) -> None:
    repository = open_repository(make_repository())
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    (plan.path / "work.txt").write_text("work", encoding="utf-8")
    head = repository.commit_all(plan.path, "work")
    assert head is not None
    git(repository.path, "merge", "--quiet", *(["--squash"] if squashed else []), plan.branch)
    if squashed:
        git(repository.path, "commit", "--quiet", "--message", "squashed")

    assert repository.remove_worker(plan, head) is None

    assert refs(git, repository.path) == []


def test_a_worktree_the_user_made_there_is_kept(
    repository: GitPythonRepository, plan: WorktreePlan, head: str, git: Git
) -> None:
    repository.remove_worker(plan, head)
    git(repository.path, "worktree", "add", "--quiet", "-b", plan.branch, str(plan.path), head)

    repository.remove_worker(plan, head)

    assert (plan.path / "work.txt").exists()
    assert git(repository.path, "rev-parse", plan.branch) == head


def test_another_worker_is_not_touched(
    repository: GitPythonRepository, plan: WorktreePlan, head: str, make_plan: MakePlan, git: Git
) -> None:
    other = make_plan(repository, "TASK-2")
    repository.ensure_worktree(other)

    repository.remove_worker(plan, head)

    assert (other.path / "README.md").exists()
    assert refs(git, repository.path) == [f"refs/heads/{other.branch}", worker_ref(other.worker)]


def test_a_file_that_cannot_be_deleted_is_no_failure_of_a_merged_worker(
    repository: GitPythonRepository, plan: WorktreePlan, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(entry: Path, _seen: SeenFiles) -> None:
        raise PermissionError(13, "Permission denied", str(entry))

    with monkeypatch.context() as patched:
        patched.setattr(deletion, "delete_tree", refuse)
        repository.remove_worker(plan, head)
    assert not plan.path.exists()
    assert [gone.path for gone in repository.prune()] == [plan.path]
    assert list(plan.path.parent.glob(f".{plan.path.name}*")) == []
