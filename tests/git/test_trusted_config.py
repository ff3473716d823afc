"""Settings that make git run programs, added while a worker was at work, stop us before they act."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.errors import UntrustedConfigError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree that exists."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


@pytest.mark.parametrize(
    "key",
    [
        "filter.evil.clean",
        "credential.helper",
        "url.ext::evil.insteadOf",
        "core.sshCommand",
        "core.worktree",
        "core.excludesFile",
        "include.path",
        "includeIf.gitdir:/.path",
        "remote.origin.receivepack",
        "merge.evil.driver",
        "diff.evil.textconv",
        "http.proxy",
        "hook.evil.command",
    ],
)
def test_a_planted_setting_is_refused_and_named(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path, key: str
) -> None:
    git(repository.path, "config", "--file", str(repository.common_dir / "config"), key, f"touch {tmp_path}/proof")
    (plan.path / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n", encoding="utf-8")
    (plan.path / "new.txt").write_text("x", encoding="utf-8")

    for operation in (
        lambda: repository.commit_all(plan.path, "x"),
        lambda: repository.get_status(plan.path, plan.base_sha),
        lambda: repository.push_branch(plan.branch),
        lambda: repository.fetch_base("main"),
        lambda: repository.remove_worktree(plan.path, force=True),
    ):
        with pytest.raises(UntrustedConfigError, match=rf"(?i){key.partition('.')[0]}\..*--unset-all"):
            operation()

    assert not (tmp_path / "proof").exists()
    assert (plan.path / "new.txt").exists()


@pytest.mark.parametrize("line", ["* filter=evil", "*.txt merge=evil", "[attr]x filter=evil"])
def test_planted_attributes_are_refused(repository: GitPythonRepository, plan: WorktreePlan, line: str) -> None:
    attributes = repository.common_dir / "info" / "attributes"
    attributes.write_text(f"# mine\n{line}\n", encoding="utf-8")
    with pytest.raises(UntrustedConfigError, match="info/attributes was changed"):
        repository.get_status(plan.path, plan.base_sha)

    attributes.write_text("# mine\n\n", encoding="utf-8")
    assert repository.get_status(plan.path, plan.base_sha).clean


def test_the_main_checkouts_own_config_is_looked_at(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git
) -> None:
    git(repository.path, "config", "extensions.worktreeConfig", "true")
    git(repository.path, "config", "--worktree", "filter.evil.clean", "false")

    with pytest.raises(UntrustedConfigError, match=r"config\.worktree was changed .*filter\.evil\.clean"):
        repository.get_status(plan.path, plan.base_sha)


def test_a_bare_repository_whose_settings_git_moved_is_trusted(clone: Path, make_plan: MakePlan) -> None:
    """`git sparse-checkout set` moves core.bare to the main worktree's own config."""
    bare = open_repository(clone.parent / "repo.git")
    plan = make_plan(bare, "TASK-9", paths=("src",))

    bare.ensure_worktree(plan)

    assert "bare = true" in (bare.common_dir / "config.worktree").read_text(encoding="utf-8")
    assert bare.get_status(plan.path, plan.base_sha).clean


def test_after_removing_it_all_goes_on(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(repository.path, "config", "filter.evil.clean", "false")
    with pytest.raises(UntrustedConfigError):
        repository.get_status(plan.path, plan.base_sha)
    git(repository.path, "config", "--unset-all", "filter.evil.clean")

    assert repository.get_status(plan.path, plan.base_sha).clean


def test_what_was_there_when_opened_is_trusted(clone: Path, make_plan: MakePlan, git: Git) -> None:
    git(clone, "config", "filter.upper.clean", "tr a-z A-Z")
    git(clone, "config", "filter.upper.smudge", "cat")
    repository = open_repository(clone)
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    (plan.path / ".gitattributes").write_text("*.up filter=upper\n", encoding="utf-8")
    (plan.path / "a.up").write_text("text\n", encoding="utf-8")

    repository.commit_all(plan.path, "x")

    assert git(clone, "show", f"{plan.branch}:a.up") == "TEXT"


def test_harmless_changes_are_no_matter(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    """What npm install (husky), `git remote add` and `git branch --set-upstream-to` write."""
    git(plan.path, "config", "core.hooksPath", ".husky")
    git(plan.path, "remote", "add", "fork", "elsewhere")
    git(plan.path, "branch", "--quiet", "--set-upstream-to", "origin/main")

    assert repository.get_status(plan.path, plan.base_sha).clean


def test_a_worktrees_own_config_is_looked_at(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    git(plan.path, "config", "extensions.worktreeConfig", "true")
    git(plan.path, "config", "--worktree", "filter.evil.clean", "false")

    with pytest.raises(UntrustedConfigError, match=r"config\.worktree was changed .*filter\.evil\.clean"):
        repository.get_status(plan.path, plan.base_sha)


def test_a_repository_in_place_of_the_worktrees_git_file_is_not_believed(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path, git: Git
) -> None:
    (plan.path / ".git").unlink()
    git(plan.path, "init", "--quiet")
    git(plan.path, "config", "filter.evil.clean", f"touch {tmp_path}/proof")
    (plan.path / ".gitattributes").write_text("* filter=evil\n", encoding="utf-8")

    sha = repository.commit_all(plan.path, "x")

    assert sha == git(repository.path, "rev-parse", plan.branch) != plan.base_sha
    assert not (tmp_path / "proof").exists()
