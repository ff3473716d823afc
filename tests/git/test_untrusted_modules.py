"""An agent can write what it likes into a submodule's repository: git is not run there when it would act on it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.errors import UnsavedWorkError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan

ALLOW = ("-c", "protocol.file.allow=always", "submodule", "--quiet")


@pytest.fixture
def repository(clone: Path, tmp_path: Path, git: Git) -> GitPythonRepository:
    """The clone with a submodule."""
    git(clone, *ALLOW, "add", f"file://{tmp_path}/repo.git", "module")
    git(clone, "commit", "--quiet", "--message", "module")
    return open_repository(clone)


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan, git: Git) -> WorktreePlan:
    """A worktree with the submodule checked out, of whose file git has to read the content to know its state."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    git(plan.path, *ALLOW, "update", "--init")
    os.utime(plan.path / "module/README.md", (1, 1))
    return plan


@pytest.fixture
def module(plan: WorktreePlan, git: Git) -> Path:
    """Where the submodule's repository is."""
    return Path(git(plan.path / "module", "rev-parse", "--absolute-git-dir"))


@pytest.mark.parametrize("gone", ["nothing", "deinit", "folder"])
def test_a_planted_filter_is_not_run(
    repository: GitPythonRepository, plan: WorktreePlan, module: Path, tmp_path: Path, git: Git, gone: str
) -> None:
    (module / "info/attributes").write_text("* filter=evil\n", encoding="utf-8")
    git(plan.path / "module", "config", "filter.evil.clean", f"touch {tmp_path}/proof; cat")
    if gone == "deinit":
        git(plan.path, *ALLOW, "deinit", "--force", "module")
        (tmp_path / "proof").unlink(missing_ok=True)
    if gone == "folder":
        shutil.rmtree(plan.path)
        assert repository.prune() == ()

    with pytest.raises(UnsavedWorkError, match=r"module/config \(filter\.evil\.clean\), .*info/attributes") as refused:
        repository.remove_worktree(plan.path, force=True)

    assert not (tmp_path / "proof").exists()
    assert module.exists()
    _take_out(git, tmp_path, str(refused.value))
    repository.remove_worktree(plan.path, force=True)
    assert not (tmp_path / "proof").exists()
    assert not module.exists()


@pytest.mark.parametrize(
    "key",
    [
        "filter.lfs.process",
        "include.path",
        "includeIf.gitdir:/.path",
        "core.excludesFile",
        "core.attributesFile",
        "core.sshCommand",
        "core.bare",
        "diff.evil.textconv",
        "diff.evil.command",
        "remote.origin.uploadpack",
        "extensions.unheardOf",
        "hook.evil.command",
    ],
)
@pytest.mark.parametrize("file", ["config", "config.worktree"])
def test_a_planted_setting_is_named(
    repository: GitPythonRepository, plan: WorktreePlan, module: Path, git: Git, file: str, key: str
) -> None:
    git(Path("/"), "config", "--file", str(module / file), key, "true")
    git(Path("/"), "config", "--file", str(module / file), "--add", key, "1")

    with pytest.raises(UnsavedWorkError, match=rf"(?i)module/{file} \({key}\)") as refused:
        repository.remove_worktree(plan.path)

    assert ("git lfs install --local wrote" in str(refused.value)) == key.startswith("filter.lfs.")
    _take_out(git, Path("/"), str(refused.value))
    assert repository.remove_worktree(plan.path) is None


def test_config_of_another_folder_is_not_read(
    repository: GitPythonRepository, plan: WorktreePlan, module: Path, tmp_path: Path, git: Git
) -> None:
    other = tmp_path / "other"
    shutil.copytree(module, other)
    git(tmp_path, "config", "--file", str(other / "config"), "filter.evil.clean", f"touch {tmp_path}/proof; cat")
    (other / "info/attributes").write_text("* filter=evil\n", encoding="utf-8")
    (module / "commondir").write_text(f"{other}\n", encoding="utf-8")

    with pytest.raises(UnsavedWorkError, match=r"module/commondir"):
        repository.remove_worktree(plan.path, force=True)

    assert not (tmp_path / "proof").exists()


def test_a_config_that_git_cannot_read(repository: GitPythonRepository, plan: WorktreePlan, module: Path) -> None:
    (module / "config").write_text("[core\n", encoding="utf-8")
    shutil.rmtree(plan.path)

    with pytest.raises(UnsavedWorkError, match=r"not looked at, because of what is in .*module/config\."):
        repository.remove_worktree(plan.path, force=True)


def test_what_is_overridden_is_let_through_and_not_run(
    repository: GitPythonRepository, plan: WorktreePlan, module: Path, tmp_path: Path, git: Git
) -> None:
    """husky writes `core.hooksPath` on every npm install."""
    hook = tmp_path / "hooks/post-index-change"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/proof\n", encoding="utf-8")
    hook.chmod(0o755)
    for key, value in (("core.hooksPath", str(hook.parent)), ("core.fsmonitor", str(hook))):
        git(tmp_path, "config", "--file", str(module / "config"), key, value)
    (module / "info/attributes").write_text("# nothing\n", encoding="utf-8")

    assert repository.remove_worktree(plan.path) is None

    assert not (tmp_path / "proof").exists()


def test_the_users_own_filter_is_used(clone: Path, make_plan: MakePlan, tmp_path: Path, git: Git) -> None:
    """As git lfs sets it up: the submodule's `.gitattributes` names it, the user's own config says what it is."""
    git(tmp_path, "clone", "--quiet", str(tmp_path / "repo.git"), "filling")
    (tmp_path / "filling/.gitattributes").write_text("*.up filter=upper\n", encoding="utf-8")
    (tmp_path / "filling/a.up").write_text("TEXT\n", encoding="utf-8")
    git(tmp_path / "filling", "add", "--all")
    git(tmp_path / "filling", "commit", "--quiet", "--message", "filtered")
    git(tmp_path / "filling", "push", "--quiet")
    git(clone, *ALLOW, "add", str(tmp_path / "repo.git"), "module")
    git(clone, "commit", "--quiet", "--message", "module")
    repository = open_repository(clone)
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    git(tmp_path, "config", "--global", "filter.upper.clean", "tr a-z A-Z")
    git(tmp_path, "config", "--global", "filter.upper.smudge", "tr A-Z a-z")
    git(plan.path, *ALLOW, "update", "--init")
    assert (plan.path / "module/a.up").read_text(encoding="utf-8") == "text\n"
    os.utime(plan.path / "module/a.up", (1, 1))

    assert repository.remove_worktree(plan.path) is None


def test_a_partial_clone_is_looked_at_and_fetches_nothing(
    repository: GitPythonRepository, make_plan: MakePlan, tmp_path: Path, git: Git
) -> None:
    git(tmp_path / "repo.git", "config", "uploadpack.allowFilter", "true")
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    git(plan.path, *ALLOW, "update", "--init", "--filter=blob:none")
    assert git(plan.path / "module", "config", "remote.origin.promisor") == "true"
    shutil.rmtree(tmp_path / "repo.git/objects")

    assert repository.remove_worktree(plan.path) is None


def _take_out(git: Git, folder: Path, said: str) -> None:
    """Do what the message says."""
    commands = said.partition("take it out: ")[2].partition(", and remove")[0]
    git(folder, "-c", f"alias.do=!{commands}", "do")
