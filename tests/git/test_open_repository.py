"""From any path to the repository it belongs to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.adapters.git.version import is_too_old
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.errors import UsageError
from parallel_workers.ports import GitRepository
from tests.conftest import Git
from tests.git.conftest import MakePlan


def test_a_clone_and_a_folder_of_it(clone: Path) -> None:
    assert open_repository(clone).path == clone
    assert open_repository(str(clone / "src")).path == clone


def test_keeps_the_ports_promises(clone: Path) -> None:
    port: GitRepository = open_repository(clone)

    assert port.path == clone


def test_a_linked_worktree_leads_to_the_main_checkout(clone: Path, tmp_path: Path, git: Git) -> None:
    git(clone, "worktree", "add", "--quiet", str(tmp_path / "linked"))

    opened = open_repository(tmp_path / "linked" / "src")

    assert opened.path == clone
    assert opened.common_dir == clone / ".git"


def test_a_bare_repository(clone: Path, tmp_path: Path, git: Git) -> None:
    bare = tmp_path / "repo.git"
    git(bare, "worktree", "add", "--quiet", str(tmp_path / "of bare"), "main")

    assert open_repository(bare).path == bare
    assert open_repository(tmp_path / "of bare").path == bare


def test_a_submodule_and_a_separate_git_dir(make_repository: Callable[..., Path], tmp_path: Path, git: Git) -> None:
    inner, outer = make_repository("inner"), make_repository("outer")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "module")
    git(tmp_path, "clone", "--quiet", "--separate-git-dir", str(tmp_path / "gitdir"), str(inner), "separate")

    assert open_repository(outer / "module").path == outer / "module"
    assert open_repository(tmp_path / "separate" / "src").path == tmp_path / "separate"


def test_a_worktree_made_inside_another_worktrees_repository(
    clone: Path, tmp_path: Path, git: Git, make_plan: MakePlan
) -> None:
    git(clone, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    repository = open_repository(tmp_path / "linked")
    plan = make_plan(repository)

    repository.ensure_worktree(plan)

    assert (plan.path / "README.md").exists()
    assert {worktree.path for worktree in repository.list_worktrees()} == {plan.path, tmp_path / "linked"}


def test_no_repository_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not in a git repository"):
        open_repository(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        open_repository(tmp_path / "nothing")


@pytest.mark.parametrize(
    "url", ["https://user:s3cret@host.invalid/group/project.git", "git@host.invalid:group/project"]
)
def test_identity_is_the_place_of_the_remote_without_credentials(clone: Path, git: Git, url: str) -> None:
    """Two machines that reach it in different ways, and one that changes the way, mean the same workers."""
    git(clone, "remote", "set-url", "origin", url)

    assert open_repository(clone).identity == "host.invalid/group/project"


def test_identity_tells_two_relative_remotes_of_one_spelling_apart(
    make_repository: Callable[..., Path], git: Git, tmp_path: Path
) -> None:
    identities = set()
    for group in ("one", "two"):
        clone = make_repository(f"{group}/clone")
        git(clone, "remote", "add", "origin", "../b.git")
        identities.add(open_repository(clone).identity)

    assert identities == {str(tmp_path / "one" / "b.git"), str(tmp_path / "two" / "b.git")}


def test_a_git_that_is_too_old_is_named_before_anything_is_done(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho called >> '{tmp_path}/calls'\necho git version 2.38.5\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    for open_it in (open_repository, open_local_forge):
        with pytest.raises(UsageError, match=r"^git version 2\.38\.5 at .*/bin/git is too old: .*needs git 2\.39"):
            open_it(clone)

    assert (tmp_path / "calls").read_text(encoding="utf-8") == "called\n"


@pytest.mark.parametrize(
    ("said", "too_old"),
    [
        ("git version 2.38.9", True),
        ("git version 2.9.5", True),
        ("git version 2.39.0", False),
        ("git version 2.39.5 (Apple Git-154)", False),
        ("git version 2.100.0.rc1.windows.1", False),
        ("git version 3.0", False),
        ("git version unknown", False),
    ],
)
def test_what_is_too_old(said: str, *, too_old: bool) -> None:
    assert is_too_old(said) is too_old


def test_identity_is_the_path_without_a_remote(make_repository: Callable[..., Path]) -> None:
    path = make_repository()

    assert open_repository(path).identity == str(path)


def test_the_only_remote_is_taken_whatever_its_name(clone: Path, git: Git) -> None:
    git(clone, "remote", "rename", "origin", "upstream")

    assert open_repository(clone).remote_name == "upstream"


def test_several_remotes_without_an_origin_are_refused(clone: Path, git: Git) -> None:
    git(clone, "remote", "rename", "origin", "one")
    git(clone, "remote", "add", "two", "elsewhere")

    with pytest.raises(UsageError, match="the remotes one, two and none is origin") as refused:
        open_repository(clone)
    assert refused.value.mend == f"git -C {clone} remote rename one origin"
