"""Work that only looks like what the base has is not taken for merged: before its branch goes it is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository
from tests.conftest import Git
from tests.git.conftest import MakePlan

LINES = [f"{word}\n" for word in ("case:", "  pass", "end") * 12]


def commit(git: Git, path: Path, name: str, content: bytes | str) -> str:
    """One more commit, with everything that lies there and `content` in the file `name`."""
    (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--message", name)
    return git(path, "rev-parse", "HEAD")


def with_line(at: int) -> str:
    return "".join((*LINES[:at], "NEW\n", *LINES[at:]))


def other_indentation(git: Git, worktree: Path, base: Path) -> None:
    commit(git, worktree, "settings.yml", "a:\n  x: 1\n  b: 2\n")
    commit(git, base, "settings.yml", "a:\n  x: 1\nb: 2\n")


def the_same_line_elsewhere(git: Git, worktree: Path, base: Path) -> None:
    commit(git, worktree, "cases.txt", with_line(8))
    commit(git, base, "cases.txt", with_line(26))


def other_bytes(git: Git, worktree: Path, base: Path) -> None:
    commit(git, worktree, "logo.png", b"\0\2")
    commit(git, base, "logo.png", b"\0\3")


def made_a_program(git: Git, worktree: Path, base: Path) -> None:
    (worktree / "README.md").chmod(0o755)
    commit(git, worktree, "README.md", "more\n")
    commit(git, base, "README.md", "more\n")
    commit(git, base, "README.md", "and other things\n")


def changed_by_a_merge_commit(git: Git, worktree: Path, base: Path) -> None:
    picked = commit(git, worktree, "one.txt", "one")
    on = commit(git, base, "on.txt", "the base went on")
    git(base, "cherry-pick", picked)
    git(worktree, "merge", "--quiet", "--no-commit", on)
    commit(git, worktree, "in-the-merge.txt", "what no patch of a commit shows")


KINDS = [other_indentation, the_same_line_elsewhere, other_bytes, made_a_program, changed_by_a_merge_commit]


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_what_looks_alike_is_saved(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git, make: Callable[[Git, Path, Path], None]
) -> None:
    for name, content in (("settings.yml", "a:\n  x: 1\n"), ("cases.txt", "".join(LINES)), ("logo.png", b"\0\1")):
        commit(git, repository.path, name, content)
    git(repository.path, "push", "--quiet", "origin", "main")
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    make(git, plan.path, repository.path)
    git(repository.path, "push", "--quiet", "origin", "main")
    head = git(plan.path, "rev-parse", "HEAD")

    ref = repository.remove_worker(plan, head)

    assert ref is not None
    assert git(repository.path, "rev-parse", f"{ref}^1") == head
    assert git(repository.path, "branch", "--list", plan.branch) == ""


@pytest.mark.parametrize("how", ["grafts", "replace"])
def test_a_bent_history_does_not_make_work_look_merged(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git, how: str
) -> None:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    head = commit(git, plan.path, "one.txt", "one")
    if how == "grafts":
        (repository.common_dir / "info").mkdir(exist_ok=True)
        (repository.common_dir / "info/grafts").write_text(f"{plan.base_sha} {head}\n", encoding="utf-8")
    else:
        git(repository.path, "replace", head, plan.base_sha)

    ref = repository.remove_worker(plan, head)

    assert git(repository.path, "--no-replace-objects", "rev-parse", f"{ref}^1") == head
