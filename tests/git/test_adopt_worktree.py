"""What an earlier run of the same worker left is taken up again, whatever state it was left in."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

from parallel_workers.adapters.git.deletion import BegunDeletion, note_deletion
from parallel_workers.adapters.git.layout import find_linked
from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.errors import WorktreeConflictError
from parallel_workers.identity import worker_ref
from parallel_workers.worktrees import EnsuredWorktree, WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan

Leave = Callable[[GitPythonRepository, WorktreePlan, Git], None]


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree that exists."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


def test_a_worktree_is_adopted_with_all_its_contents(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    (plan.path / "committed.txt").write_text("1", encoding="utf-8")
    head = repository.commit_all(plan.path, "work")
    (plan.path / "untracked.txt").write_text("2", encoding="utf-8")
    (plan.path / "README.md").write_text("changed", encoding="utf-8")
    git(repository.path, "commit", "--quiet", "--allow-empty", "--message", "main went on")
    newer = git(repository.path, "rev-parse", "main")

    ensured = repository.ensure_worktree(plan._replace(base_sha=newer))

    assert ensured == EnsuredWorktree(plan.path, plan.branch, plan.base_sha, adopted=True)
    assert git(plan.path, "rev-parse", "HEAD") == head
    assert (plan.path / "README.md").read_text(encoding="utf-8") == "changed"
    assert (plan.path / "untracked.txt").read_text(encoding="utf-8") == "2"


def leave_refs_only(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """Killed between the refs and `worktree add`."""
    git(repository.path, "worktree", "remove", str(plan.path))


def leave_mark_only(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """Somebody deleted the branch to start anew."""
    git(repository.path, "worktree", "remove", str(plan.path))
    git(repository.path, "branch", "-D", plan.branch)


def leave_folder_gone(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """`rm -rf` instead of `git worktree remove`."""
    shutil.rmtree(plan.path)


def leave_folder_empty(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """Its contents were deleted, and the folder stayed."""
    shutil.rmtree(plan.path)
    plan.path.mkdir()


def leave_half_made(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """`git worktree add` killed after its record, before HEAD was set."""
    admin = repository.common_dir / "worktrees" / plan.path.name
    shutil.rmtree(plan.path)
    plan.path.mkdir()
    (plan.path / ".git").write_text(f"gitdir: {admin}\n", encoding="utf-8")
    (admin / "index").unlink()
    (admin / "HEAD").write_text("0" * 40 + "\n", encoding="utf-8")
    (admin / "locked").write_text("initializing", encoding="utf-8")


def leave_nameless(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """`git worktree add` killed before it wrote which folder the record is for."""
    admin = repository.common_dir / "worktrees" / plan.path.name
    shutil.rmtree(plan.path)
    shutil.rmtree(admin)
    admin.mkdir(parents=True)
    (admin / "locked").write_text("initializing", encoding="utf-8")


def leave_half_checked_out(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """The checkout was killed in the middle of a file: no index, its lock."""
    admin = repository.common_dir / "worktrees" / plan.path.name
    (admin / "parallel-workers-checking-out").touch()
    (admin / "index").rename(admin / "index.lock")
    (plan.path / "README.md").write_text("a ro", encoding="utf-8")


def leave_nothing_checked_out(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """Killed before the first file was written."""
    (repository.common_dir / "worktrees" / plan.path.name / "index").unlink()
    (plan.path / "README.md").unlink()
    shutil.rmtree(plan.path / "src")


@pytest.mark.parametrize(
    "leave",
    [
        leave_refs_only,
        leave_mark_only,
        leave_folder_gone,
        leave_folder_empty,
        leave_half_made,
        leave_nameless,
        leave_half_checked_out,
        leave_nothing_checked_out,
    ],
)
def test_leftovers_are_mended(repository: GitPythonRepository, plan: WorktreePlan, git: Git, leave: Leave) -> None:
    leave(repository, plan, git)

    assert repository.ensure_worktree(plan) == (plan.path, plan.branch, plan.base_sha, True)

    assert git(plan.path, "status", "--porcelain", "--branch") == f"## {plan.branch}"
    assert (plan.path / "README.md").exists()
    assert [worktree.path for worktree in repository.list_worktrees()] == [plan.path]
    assert [path.name for path in (repository.common_dir / "worktrees").iterdir()] == [plan.path.name]


@pytest.mark.parametrize("paths", [(), ("kept",)])
def test_a_lost_index_costs_no_work(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git, paths: tuple[str, ...]
) -> None:
    for folder in ("kept", "other"):
        (repository.path / folder).mkdir()
        (repository.path / folder / "file.txt").write_text("as committed\n", encoding="utf-8")
    git(repository.path, "add", "--all")
    git(repository.path, "commit", "--quiet", "--message", "folders")
    plan = make_plan(repository, paths=paths)
    repository.ensure_worktree(plan)
    (plan.path / "kept/file.txt").write_text("work\n", encoding="utf-8")
    (plan.path / "README.md").unlink()
    (repository.common_dir / "worktrees" / plan.path.name / "index").unlink()

    assert repository.ensure_worktree(plan).adopted

    assert (plan.path / "kept/file.txt").read_text(encoding="utf-8") == "work\n"
    assert git(plan.path, "status", "--porcelain").split("\n") == ["D README.md", " M kept/file.txt"]


def test_a_lost_index_does_not_end_a_merge(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(repository.path, "commit", "--quiet", "--allow-empty", "--message", "main went on")
    git(plan.path, "merge", "--quiet", "--no-ff", "--no-commit", "main")
    (repository.common_dir / "worktrees" / plan.path.name / "index").unlink()

    repository.ensure_worktree(plan)

    assert git(plan.path, "rev-parse", "MERGE_HEAD") == git(repository.path, "rev-parse", "main")


def test_commits_survive_a_lost_worktree(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    (plan.path / "work.txt").write_text("1", encoding="utf-8")
    repository.commit_all(plan.path, "work")
    shutil.rmtree(plan.path)

    repository.ensure_worktree(plan)

    assert (plan.path / "work.txt").read_text(encoding="utf-8") == "1"


def test_only_ours_is_repaired(repository: GitPythonRepository, plan: WorktreePlan, make_plan: MakePlan) -> None:
    """Another worker's lost folder may be on a drive that comes back: `git worktree prune` would forget it."""
    other = make_plan(repository, "TASK-2")
    repository.ensure_worktree(other)
    shutil.rmtree(other.path)
    shutil.rmtree(plan.path)

    repository.ensure_worktree(plan)

    assert other.path in {worktree.path for worktree in repository.list_worktrees()}


def test_a_worktree_on_another_branch_is_refused(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(plan.path, "switch", "--quiet", "--create", "agents-own")

    with pytest.raises(WorktreeConflictError, match=f"is on agents-own, not on {plan.branch};.* switch {plan.branch}"):
        repository.ensure_worktree(plan)


@pytest.mark.parametrize("how", ["renamed", "detached", "left and deleted"])
def test_a_branch_that_is_gone_comes_back_by_what_is_told(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, how: str
) -> None:
    (plan.path / "work.txt").write_text("work", encoding="utf-8")
    head = repository.commit_all(plan.path, "work")
    if how == "renamed":
        git(plan.path, "branch", "--move", "agents-own")
    else:
        git(plan.path, "switch", "--quiet", *(["--detach"] if how == "detached" else ["--create", "agents-own"]))
        git(plan.path, "branch", "--delete", "--force", plan.branch)

    with pytest.raises(WorktreeConflictError, match=f"not on {plan.branch}, which is gone; ") as caught:
        repository.ensure_worktree(plan)
    commands = [part.partition(";")[0] for part in str(caught.value).split(": ")[1:]]
    subprocess.run(["sh", "-c", commands[how == "left and deleted"]], check=True, capture_output=True)

    assert repository.ensure_worktree(plan).adopted
    assert git(plan.path, "rev-parse", "HEAD") == (plan.base_sha if how == "left and deleted" else head)


def test_a_removal_that_was_given_up_is_not_gone_on_with(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    linked = find_linked(repository.common_dir, plan.path)
    assert linked is not None
    aside = plan.path.with_name(f".{plan.path.name}.parallel-workers-removing-00000000")
    note_deletion(linked, BegunDeletion(aside, None, looked_at=True))
    assert repository.ensure_worktree(plan).adopted
    (plan.path / "staged.txt").write_text("staged", encoding="utf-8")
    git(plan.path, "add", "staged.txt")
    shutil.rmtree(plan.path)

    ((path, ref),) = repository.prune()

    assert path == plan.path
    assert git(repository.path, "show", f"{ref}:staged.txt") == "staged"


def test_the_branch_checked_out_elsewhere_is_refused(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    git(repository.path, "worktree", "remove", str(plan.path))
    git(repository.path, "switch", "--quiet", plan.branch)

    with pytest.raises(WorktreeConflictError, match=f"is checked out at {repository.path}, not at {plan.path}"):
        repository.ensure_worktree(plan)


def test_a_foreign_folder_in_place_of_a_lost_worktree_is_refused(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    git(repository.path, "worktree", "remove", str(plan.path))
    plan.path.mkdir()
    (plan.path / "mine.txt").write_text("precious", encoding="utf-8")

    with pytest.raises(WorktreeConflictError, match="holds files and is no worktree of ours"):
        repository.ensure_worktree(plan)
    assert (plan.path / "mine.txt").exists()


def test_a_lost_but_locked_worktree_is_refused(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(repository.path, "worktree", "lock", "--reason", "on a stick", str(plan.path))
    shutil.rmtree(plan.path)

    with pytest.raises(WorktreeConflictError, match=r"gone but locked .on a stick.*git worktree unlock"):
        repository.ensure_worktree(plan)


def test_one_killed_before_its_folders_were_set_gets_no_others(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git
) -> None:
    """Killed between `worktree add --no-checkout` and `sparse-checkout set`."""
    plan = make_plan(repository, "TASK-9", paths=("nothing",))
    repository.ensure_worktree(plan)
    repository.remove_worktree(plan.path, force=True)
    git(repository.path, "worktree", "add", "--quiet", "--no-checkout", str(plan.path), plan.branch)

    assert repository.ensure_worktree(plan).adopted

    assert not (plan.path / "src").exists()
    assert (plan.path / "README.md").exists()
    assert git(plan.path, "status", "--porcelain") == ""


@pytest.mark.parametrize(("before", "after"), [((), ("nothing",)), (("src",), ("nothing",)), (("nothing",), ("src",))])
def test_changed_folders_are_applied(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    plan = make_plan(repository, "TASK-9", paths=before)
    repository.ensure_worktree(plan)
    (plan.path / "README.md").write_text("work\n", encoding="utf-8")
    head = repository.commit_all(plan.path, "work")

    repository.ensure_worktree(plan._replace(paths=after))

    assert (plan.path / "src").exists() == ("src" in after)
    assert (plan.path / "README.md").read_text(encoding="utf-8") == "work\n"
    assert (git(plan.path, "status", "--porcelain"), git(plan.path, "rev-parse", "HEAD")) == ("", head)
    repository.ensure_worktree(plan._replace(paths=()))
    assert (plan.path / "src" / "one.txt").exists()


@pytest.mark.parametrize("name", ["src/one.txt", "src/new.txt", "src/ignored.log", "new.txt"])
def test_changed_folders_cost_no_work(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git, name: str
) -> None:
    (repository.common_dir / "info" / "exclude").write_text("*.log\n", encoding="utf-8")
    plan = make_plan(repository, "TASK-9")
    repository.ensure_worktree(plan)
    (plan.path / name).write_text("precious", encoding="utf-8")
    shown = git(plan.path, "status", "--porcelain", "--ignored")

    repository.ensure_worktree(plan._replace(paths=("nothing",)))

    assert (plan.path / name).read_text(encoding="utf-8") == "precious"
    assert (plan.path / "src" / "one.txt").exists()
    assert git(plan.path, "status", "--porcelain", "--ignored") == shown


def test_folders_that_an_agent_added_for_itself_stay(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git
) -> None:
    plan = make_plan(repository, "TASK-9", paths=("nothing",))
    repository.ensure_worktree(plan)
    git(plan.path, "sparse-checkout", "add", "src")

    repository.ensure_worktree(plan)

    assert (plan.path / "src" / "one.txt").exists()


def test_a_sparse_worktree_is_finished_sparse(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> None:
    plan = make_plan(repository, "TASK-9", paths=("nothing",))
    repository.ensure_worktree(plan)
    leave_half_made(repository, plan, git)

    repository.ensure_worktree(plan)

    assert not (plan.path / "src").exists()
    assert git(repository.path, "rev-parse", worker_ref(plan.worker)) == plan.base_sha
