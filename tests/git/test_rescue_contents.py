"""What is no file: stashes, commits on no branch, other repositories, locks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parallel_workers.adapters.git import removal
from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.errors import UnsavedWorkError, WorktreeConflictError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.committing import commit
from tests.git.conftest import MakePlan
from tests.git.folders import picture


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


def test_stashes_of_the_branch_are_kept_when_they_are_dropped(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    for number in (1, 2):
        (plan.path / "README.md").write_text(f"stashed {number}", encoding="utf-8")
        git(plan.path, "stash", "push", "--quiet", *(["--message", "mine"] if number == 1 else []))
    (repository.path / "README.md").write_text("not the worker's", encoding="utf-8")
    git(repository.path, "stash", "push", "--quiet")

    ref = repository.remove_worktree(plan.path)
    git(repository.path, "stash", "clear")
    git(repository.path, "gc", "--quiet", "--prune=now")
    found = repository.find_rescue(str(ref))

    assert found.what == ("2 stashes",)
    assert len(repository.list_rescues()) == 1
    assert [stash.message.partition(":")[0] for stash in found.stashes] == [
        f"WIP on {plan.branch}",
        f"On {plan.branch}",
    ]
    assert [git(repository.path, "show", f"{stash.sha}:README.md") for stash in found.stashes] == [
        "stashed 2", "stashed 1",
    ]  # fmt: skip


def test_commits_on_no_branch_come_back_with_what_lies_on_them(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    git(plan.path, "switch", "--quiet", "--detach")
    loose = commit(git, plan.path, "on no branch")
    (plan.path / "new.txt").write_text("new", encoding="utf-8")
    before = picture(plan.path)

    ref = repository.remove_worktree(plan.path, force=True)
    git(repository.path, "gc", "--quiet", "--prune=now")
    restored = repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")

    assert restored.head_sha == loose
    assert picture(tmp_path / "back") == before
    assert len(repository.list_rescues()) == 1


def test_a_branch_that_was_deleted_under_its_worktree(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    head = commit(git, plan.path, "committed")
    git(repository.path, "update-ref", "-d", f"refs/heads/{plan.branch}")

    ref = repository.remove_worktree(plan.path, force=True)
    git(repository.path, "gc", "--quiet", "--prune=now")

    assert git(repository.path, "show", f"{ref}:README.md") == "committed"
    assert git(repository.path, "rev-parse", f"{ref}^1^1") == head
    assert len(repository.list_rescues()) == 1


@pytest.mark.parametrize("worktree", ["there", "gone too"])
def test_a_branch_that_was_deleted_comes_back_where_it_was(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, worktree: str
) -> None:
    head = commit(git, plan.path, "committed")
    if worktree == "gone too":
        repository.push_branch(plan.branch)
        repository.remove_worktree(plan.path)
    git(repository.path, "update-ref", "-d", f"refs/heads/{plan.branch}")

    assert repository.ensure_worktree(plan).adopted

    assert git(plan.path, "rev-parse", "HEAD") == head
    assert git(plan.path, "status", "--porcelain") == ""


def test_an_unborn_branch_comes_back_as_a_worktree(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    git(plan.path, "switch", "--quiet", "--orphan", "fresh")
    (plan.path / ".gitattributes").write_text("* text=auto\n", encoding="utf-8")
    (plan.path / "first.txt").write_bytes(b"first\r\n")
    git(plan.path, "add", "first.txt")
    before = picture(plan.path)
    ref = repository.remove_worktree(plan.path, force=True)

    restored = repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")

    assert picture(tmp_path / "back") == before
    assert git(tmp_path / "back", "rev-parse", "HEAD") == restored.head_sha
    assert git(repository.path, "rev-list", "--count", "back") == "1"


def test_an_unborn_branch_comes_back_as_a_branch(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    git(plan.path, "switch", "--quiet", "--orphan", "fresh")
    (plan.path / "first.txt").write_text("first", encoding="utf-8")
    ref = repository.remove_worktree(plan.path, force=True)
    found = repository.find_rescue(str(ref))

    repository.restore_rescue(found, "back")

    assert git(repository.path, "show", "back:first.txt") == "first"
    assert git(repository.path, "rev-list", "--count", "back") == "1"


def test_what_an_agent_hid_from_git_is_saved(repository: GitPythonRepository, make_plan: MakePlan) -> None:
    exclude = repository.common_dir / "info/exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text("*.users\n", encoding="utf-8")
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    exclude.write_bytes(b"*.users\n# new\nhidden*\n\xff\n!not-hidden\n")
    repository.ensure_worktree(plan)
    for name in ("a.users", "hidden.txt", "src/hidden.md", "not-hidden"):
        (plan.path / name).write_text(name, encoding="utf-8")

    ref = repository.remove_worktree(plan.path, force=True)

    found = repository.find_rescue(str(ref))
    assert {file.path for file in found.files} == {"hidden.txt", "src/hidden.md", "not-hidden"}


def test_a_locked_one_is_saved_when_forced(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    (plan.path / "new.txt").write_text("new", encoding="utf-8")
    before = picture(plan.path)
    git(repository.path, "worktree", "lock", str(plan.path))
    with pytest.raises(WorktreeConflictError, match="git worktree unlock"):
        repository.remove_worktree(plan.path)

    ref = repository.remove_worktree(plan.path, force=True)
    repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")

    assert picture(tmp_path / "back") == before


@pytest.mark.parametrize("kind", ["clone", "init", "broken"])
def test_a_repository_an_agent_made_inside_is_never_removed(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, kind: str
) -> None:
    inner = plan.path / "src" / "inner"
    inner.mkdir()
    if kind == "clone":
        git(plan.path, "clone", "--quiet", str(repository.path), str(inner))
    elif kind == "init":
        git(inner, "init", "--quiet")
    else:
        (inner / ".git").mkdir()
        (inner / ".git/config").write_text("half", encoding="utf-8")
    (inner / "precious.txt").write_text("precious", encoding="utf-8")

    with pytest.raises(UnsavedWorkError, match=r"holds repositories of their own.*: src/inner\. Commit and push it"):
        repository.remove_worktree(plan.path, force=True)

    assert (inner / "precious.txt").read_text(encoding="utf-8") == "precious"


def test_a_broken_index_is_named_with_the_way_out(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path
) -> None:
    (plan.path / "new.txt").write_text("new", encoding="utf-8")
    before = picture(plan.path)
    index = repository.common_dir / "worktrees" / plan.path.name / "index"
    index.write_bytes(b"broken")

    with pytest.raises(UnsavedWorkError, match=r"cannot read the index of .*\(fatal: .*mv '.*/index'") as refused:
        repository.remove_worktree(plan.path, force=True)
    assert f"mv '{index}' '{index}.broken'" in str(refused.value)

    index.rename(f"{index}.broken")
    ref = repository.remove_worktree(plan.path, force=True)
    repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")
    assert picture(tmp_path / "back") == before


def test_ignored_files_come_back_for_their_owner_alone(
    repository: GitPythonRepository, make_plan: MakePlan, tmp_path: Path
) -> None:
    plan = make_plan(repository, "TASK-2", keep_ignored=(".env",))
    repository.ensure_worktree(plan)
    (plan.path / ".gitignore").write_text(".env\n", encoding="utf-8")
    (plan.path / ".env").write_text("TOKEN=1", encoding="utf-8")
    ref = repository.remove_worktree(plan.path, force=True)

    repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")

    assert (tmp_path / "back/.env").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "back/.gitignore").stat().st_mode & 0o044


def test_another_worktree_inside_is_never_removed(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in an ignored folder, where agents make them."""
    (repository.common_dir / "info/exclude").write_text(".agent/\n", encoding="utf-8")
    inner = plan.path / ".agent/worktrees/sub task"

    def add(point: str) -> None:
        if point == "removal.saved":
            git(plan.path, "worktree", "add", "--quiet", "-b", "sub", str(inner))

    monkeypatch.setattr(removal, "reach", add)
    for _ in range(2):
        with pytest.raises(UnsavedWorkError, match=r"other worktrees lie in it: \.agent/worktrees/sub task\. Remove"):
            repository.remove_worktree(plan.path, force=True)
    assert (inner / "README.md").exists()

    git(repository.path, "worktree", "remove", "--force", str(inner))
    monkeypatch.undo()
    repository.remove_worktree(plan.path, force=True)
    assert not plan.path.exists()


def test_a_submodule_with_a_commit_that_was_not_pushed(
    repository: GitPythonRepository, make_plan: MakePlan, tmp_path: Path, git: Git
) -> None:
    allow = ("-c", "protocol.file.allow=always", "submodule", "--quiet")
    git(repository.path, *allow, "add", str(tmp_path / "repo.git"), "module")
    git(repository.path, "commit", "--quiet", "--message", "module")
    reopened = open_repository(repository.path)
    plan = make_plan(reopened, "TASK-2")
    reopened.ensure_worktree(plan)
    git(plan.path, *allow, "update", "--init")
    commit(git, plan.path / "module", "only here")
    git(plan.path, "commit", "--quiet", "--all", "--message", "pointer")

    with pytest.raises(UnsavedWorkError, match=r"repositories of their own.*: module"):
        reopened.remove_worktree(plan.path, force=True)
    git(plan.path / "module", "push", "--quiet", "origin", "HEAD:refs/heads/pushed")
    git(plan.path / "module", "fetch", "--quiet")

    assert reopened.remove_worktree(plan.path) is None


def test_prune_saves_what_only_git_knows(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    git(plan.path, "switch", "--quiet", "--detach")
    loose = commit(git, plan.path, "on no branch")
    (plan.path / "staged.txt").write_text("staged", encoding="utf-8")
    git(plan.path, "add", "staged.txt")
    plan.path.rename(tmp_path / "taken away")

    ((path, ref),) = repository.prune()
    restored = repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")

    assert path == plan.path
    assert restored.head_sha == loose
    assert git(tmp_path / "back", "status", "--porcelain") == "A  staged.txt"
    assert (tmp_path / "back/staged.txt").read_text(encoding="utf-8") == "staged"


def test_a_folder_that_became_another_repository(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    plan.path.rename(tmp_path / "away")
    git(tmp_path, "clone", "--quiet", str(repository.path), str(plan.path))

    with pytest.raises(WorktreeConflictError, match="is another repository now, so it is left as it is"):
        repository.remove_worktree(plan.path, force=True)
    assert repository.prune() == ()

    assert (plan.path / "README.md").exists()


def test_a_folder_that_became_a_link(repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path) -> None:
    plan.path.rename(tmp_path / "away")
    plan.path.symlink_to(tmp_path / "away")

    with pytest.raises(Exception, match="is a symbolic link"):
        repository.remove_worktree(plan.path, force=True)
    assert repository.prune() == ()
    repository.remove_worker(plan, plan.base_sha)

    assert (tmp_path / "away/README.md").exists()


def test_a_record_that_was_bent_to_name_a_folder_of_the_users(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("precious", encoding="utf-8")
    (repository.common_dir / "worktrees" / plan.path.name / "gitdir").write_text(f"{precious}/.git\n")

    with pytest.raises(WorktreeConflictError, match=r"has no \.git file that leads back"):
        repository.remove_worktree(precious, force=True)

    assert (precious / "file").exists()


def test_a_bent_note_of_an_earlier_removal_deletes_nothing_else(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path
) -> None:
    (tmp_path / "precious").mkdir()
    note = repository.common_dir / "worktrees" / plan.path.name / "parallel-workers-removing"
    note.write_text(json.dumps([str(tmp_path / "precious"), None, True]), encoding="utf-8")

    assert repository.remove_worktree(plan.path) is None

    assert (tmp_path / "precious").exists()
