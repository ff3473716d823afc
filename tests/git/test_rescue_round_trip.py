"""Whatever lies in a worktree: saved, removed and restored it is the same again, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan
from tests.git.folders import picture

Leave = Callable[[Path, Git], None]


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    return plan


def staged_and_changed_again(path: Path, git: Git) -> None:
    (path / "README.md").write_text("staged\n", encoding="utf-8")
    git(path, "add", "README.md")
    (path / "README.md").write_text("changed again\n", encoding="utf-8")


def deleted_and_renamed(path: Path, git: Git) -> None:
    git(path, "mv", "README.md", "docs.md")
    (path / "src/one.txt").unlink()


def deleted_in_the_index_only(path: Path, git: Git) -> None:
    git(path, "rm", "--quiet", "--cached", "README.md")


def programs_and_links(path: Path, git: Git) -> None:
    (path / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (path / "run.sh").chmod(0o755)
    (path / "src/one.txt").chmod(0o755)
    (path / "README.md").unlink()
    (path / "README.md").symlink_to("src/../no//where")
    (path / "away").symlink_to("/etc")


def empty_and_strange_names(path: Path, git: Git) -> None:
    (path / "empty").touch()
    names = (b"\xff\xfe.bin", b"new\nline", b'"quoted"', b" space ", b"tab\t", "ü".encode(), b"-dash", b"back\\s")
    for name in (*names, b"cr", b"cr\r"):
        Path(os.fsdecode(os.path.join(os.fsencode(path), name))).write_bytes(name)  # noqa: PTH118


def names_git_guards(path: Path, git: Git) -> None:
    (path / "src/GIT~1").write_text("x", encoding="utf-8")
    (path / "src/.gitmodules").write_text("x", encoding="utf-8")
    (path / "src/.GIT").write_text("x", encoding="utf-8")


def twenty_megabytes(path: Path, git: Git) -> None:
    (path / "large.bin").write_bytes(os.urandom(1024 * 1024) * 20)


def line_ends_that_a_filter_changes(path: Path, git: Git) -> None:
    (path / ".gitattributes").write_text("* text=auto\n", encoding="utf-8")
    (path / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    (path / "staged.txt").write_bytes(b"one\r\ntwo\r\n")
    git(path, "add", "staged.txt")


def a_file_where_a_folder_was(path: Path, git: Git) -> None:
    (path / "src/one.txt").unlink()
    (path / "src").rmdir()
    (path / "src").write_text("a file\n", encoding="utf-8")
    (path / "README.md").unlink()
    (path / "README.md").mkdir()
    (path / "README.md/inner.txt").write_text("inner\n", encoding="utf-8")


def a_staged_folder_that_became_a_file_again(path: Path, git: Git) -> None:
    (path / "README.md").unlink()
    (path / "README.md").mkdir()
    (path / "README.md/inner.txt").write_text("inner\n", encoding="utf-8")
    git(path, "add", "--all")
    (path / "README.md/inner.txt").unlink()
    (path / "README.md").rmdir()
    (path / "README.md").write_text("a file again\n", encoding="utf-8")


def a_staged_file_that_became_a_folder_again(path: Path, git: Git) -> None:
    (path / "src/one.txt").unlink()
    (path / "src").rmdir()
    (path / "src").write_text("a file\n", encoding="utf-8")
    git(path, "add", "--all")
    (path / "src").unlink()
    (path / "src").mkdir()
    (path / "src/one.txt").write_text("a folder again\n", encoding="utf-8")


def a_link_where_a_folder_was(path: Path, git: Git) -> None:
    (path / "other").mkdir()
    (path / "other/one.txt").write_text("not that of src\n", encoding="utf-8")
    (path / "src/one.txt").unlink()
    (path / "src").rmdir()
    (path / "src").symlink_to("other")


def files_git_does_not_look_at(path: Path, git: Git) -> None:
    git(path, "update-index", "--assume-unchanged", "README.md")
    git(path, "update-index", "--skip-worktree", "src/one.txt")
    (path / "README.md").write_text("hidden change\n", encoding="utf-8")
    (path / "src/one.txt").write_text("hidden change\n", encoding="utf-8")


def intended_to_be_added(path: Path, git: Git) -> None:
    (path / "later.txt").write_text("later\n", encoding="utf-8")
    git(path, "add", "--intent-to-add", "later.txt")


def many_folders(path: Path, git: Git) -> None:
    for number in range(40):
        folder = path / f"new/{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(f"{number}\n", encoding="utf-8")
    (path / "hollow").mkdir()


KINDS = [
    staged_and_changed_again,
    deleted_and_renamed,
    deleted_in_the_index_only,
    programs_and_links,
    empty_and_strange_names,
    names_git_guards,
    twenty_megabytes,
    line_ends_that_a_filter_changes,
    a_file_where_a_folder_was,
    a_staged_folder_that_became_a_file_again,
    a_staged_file_that_became_a_folder_again,
    a_link_where_a_folder_was,
    files_git_does_not_look_at,
    intended_to_be_added,
    many_folders,
]


@pytest.mark.parametrize("leave", KINDS, ids=lambda leave: leave.__name__)
def test_everything_comes_back(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path, leave: Leave
) -> None:
    leave(plan.path, git)
    before, staged = picture(plan.path), git(plan.path, "diff", "--cached", "--raw", "--no-abbrev")

    ref = repository.remove_worktree(plan.path, force=True)

    assert ref is not None
    assert not plan.path.exists()
    assert list(plan.path.parent.iterdir()) == [], "nothing is left beside it"
    restored = repository.restore_rescue(repository.find_rescue(ref), "back", tmp_path / "back")
    assert picture(tmp_path / "back") == before
    assert git(tmp_path / "back", "diff", "--cached", "--raw", "--no-abbrev") == staged
    assert len(repository.list_rescues()) == 1
    assert (restored.branch, restored.head_sha) == ("back", plan.base_sha)


def test_no_link_is_followed_out_of_the_worktree(
    repository: GitPythonRepository, plan: WorktreePlan, git: Git, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "one.txt").write_text("not for anybody\n", encoding="utf-8")
    (plan.path / "src/one.txt").unlink()
    (plan.path / "src").rmdir()
    (plan.path / "src").symlink_to(outside)

    ref = repository.remove_worktree(plan.path, force=True)
    found = repository.find_rescue(str(ref))
    repository.restore_rescue(found, "back", tmp_path / "back")
    # as an earlier version, which followed the link, saved it
    blob = git(repository.path, "rev-parse", f"{plan.base_sha}:README.md")
    followed = tuple(one._replace(mode="100644", sha=blob) if one.mode == "000000" else one for one in found.files)
    repository.restore_rescue(found._replace(files=followed), "again", tmp_path / "again")

    assert git(repository.path, "ls-tree", "-r", "--name-only", str(ref)).split() == ["README.md", "src"]
    for back in ("back", "again"):
        assert (tmp_path / back / "src").readlink() == outside
    assert [(file.name, file.read_text()) for file in outside.iterdir()] == [("one.txt", "not for anybody\n")]


def test_a_large_file_comes_back_without_being_read_into_memory(
    repository: GitPythonRepository, plan: WorktreePlan, tmp_path: Path
) -> None:
    size = 200 * 1024 * 1024
    with (plan.path / "large.bin").open("wb") as file:
        file.truncate(size)
    ref = str(repository.remove_worktree(plan.path, force=True))
    restore = (
        "import resource, sys; from pathlib import Path\n"
        "from parallel_workers.adapters.git.repository import open_repository\n"
        "repository = open_repository(Path(sys.argv[1]))\n"
        "found = repository.find_rescue(sys.argv[2])\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[4]),) * 2)\n"
        "repository.restore_rescue(found, 'back', Path(sys.argv[3]))\n"
    )
    arguments = (str(repository.path), ref, str(tmp_path / "back"), str(size // 2))
    done = subprocess.run([sys.executable, "-c", restore, *arguments], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back/large.bin").stat().st_size == size


def test_as_a_branch_it_is_one_commit(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    programs_and_links(plan.path, git)
    ref = repository.remove_worktree(plan.path, force=True)

    restored = repository.restore_rescue(repository.find_rescue(str(ref)), "back")

    assert git(repository.path, "rev-parse", "back") == restored.head_sha
    assert git(repository.path, "rev-parse", "back^") == plan.base_sha
    assert git(repository.path, "rev-parse", "back^{tree}") == git(repository.path, "rev-parse", f"{ref}^{{tree}}")


def test_a_sparse_checkout_comes_back_sparse(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git, tmp_path: Path
) -> None:
    plan = make_plan(repository, "TASK-2", paths=("docs",))
    repository.ensure_worktree(plan)
    for name in ("docs/in.txt", "other/out.txt"):
        (plan.path / name).parent.mkdir(exist_ok=True)
        (plan.path / name).write_text("new\n", encoding="utf-8")
    before = picture(plan.path)
    ref = repository.remove_worktree(plan.path, force=True)

    repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")

    assert picture(tmp_path / "back") == before
    assert b"src/one.txt" not in before
    assert git(repository.path, "show", f"{ref}:src/one.txt") == "1", "plain git sees it whole"
