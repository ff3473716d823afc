"""A diamond of dependencies on a clone of a real-sized project: merged in dependency order, or skipped for a reason."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.product import WRITE_FILE, Product, Task, write_batch

DEPENDENCIES: dict[str, list[str]] = {
    "TOP": [],
    "LEFT": ["TOP"],
    "MIDDLE": ["TOP"],
    "RIGHT": ["TOP"],
    "JOIN": ["LEFT", "MIDDLE"],
    "BOTTOM": ["JOIN", "RIGHT"],
}
ANCESTORS = {"JOIN": ["LEFT", "MIDDLE", "TOP"], "BOTTOM": ["JOIN", "LEFT", "MIDDLE", "RIGHT", "TOP"]}


@pytest.fixture
def clone(tmp_path: Path, git: Git) -> Path:
    """A clone of a bare repository with 1,200 files in 60 folders and a few commits of history."""
    seed, remote, clone = tmp_path / "seed", tmp_path / "project.git", tmp_path / "clone"
    seed.mkdir()
    git(seed, "init", "--quiet", "--initial-branch=main")
    for release in range(3):
        for number in range(1200):
            file = seed / f"package_{number % 60:02}" / f"module_{number:04}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(f'"""Module {number} of release {release}."""\n\nVALUE = {number * (release + 1)}\n' * 5)
        git(seed, "add", "--all")
        git(seed, "commit", "--quiet", "--message", f"feat: release {release}")
    git(tmp_path, "clone", "--quiet", "--bare", str(seed), str(remote))
    git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    assert len(git(clone, "ls-files").splitlines()) >= 1000
    return clone


def diamond(**shells: str) -> list[Task]:
    """Six tasks. Each agent fails unless the files of all its ancestors are in its worktree."""
    return [
        {"id": each, "dependencies": needed, "shell": shells.get(each, agent(each))}
        for each, needed in DEPENDENCIES.items()
    ]


def agent(task_id: str) -> str:
    needed = ANCESTORS.get(task_id, DEPENDENCIES[task_id])
    return "".join(f"test -s {name}.txt; " for name in needed) + WRITE_FILE


def is_ancestor(repository: Path, older: str, younger: str) -> bool:
    asked = ["git", "merge-base", "--is-ancestor", older, younger]
    return subprocess.run(asked, cwd=repository, check=False).returncode == 0


def test_six_tasks_are_merged_in_dependency_order(product: Product, clone: Path, tmp_path: Path, git: Git) -> None:
    done = product.run(write_batch(tmp_path / "diamond.yml", clone, diamond()))
    assert done.exit_code == 0, done.stderr
    assert done.results() == dict.fromkeys(DEPENDENCIES, "merged")

    git(clone, "fetch", "--quiet", "origin")
    added = {name: git(clone, "ls-tree", "--name-only", "origin/main", f"{name}.txt") for name in DEPENDENCIES}
    assert added == {name: f"{name}.txt" for name in DEPENDENCIES}
    listed = product.call("pr", "list", "--state", "all", "--repository", str(clone), "--json").data
    pulls = {pull["title"].partition(":")[0]: pull for pull in listed}
    assert len(listed) == len(pulls) == 6
    for name, needed in DEPENDENCIES.items():
        assert is_ancestor(clone, pulls[name]["merge_sha"], "origin/main")
        for other in needed:
            assert is_ancestor(clone, pulls[other]["merge_sha"], pulls[name]["head_sha"])
            assert not is_ancestor(clone, pulls[name]["head_sha"], pulls[other]["merge_sha"])

    assert "feature/" not in git(clone, "for-each-ref") + git(tmp_path / "project.git", "for-each-ref")
    assert len(git(clone, "worktree", "list").splitlines()) == 1
    assert git(clone, "status", "--porcelain") == ""


def test_a_failure_skips_exactly_the_descendants(product: Product, clone: Path, tmp_path: Path, git: Git) -> None:
    tasks = diamond(MIDDLE="echo half > MIDDLE.txt; echo cannot go on; exit 3")
    done = product.run(write_batch(tmp_path / "broken.yml", clone, tasks))
    assert done.exit_code == 1
    merged = ["TOP", "LEFT", "RIGHT"]
    expected = dict.fromkeys(merged, "merged") | {"MIDDLE": "failed", "JOIN": "skipped", "BOTTOM": "skipped"}
    assert done.results() == expected
    reasons = done.reasons()
    assert "cannot go on" in reasons["MIDDLE"]
    assert "3" in reasons["MIDDLE"]
    assert "MIDDLE" in reasons["JOIN"]
    assert "MIDDLE" in reasons["BOTTOM"]

    git(clone, "fetch", "--quiet", "origin")
    there = set(git(clone, "ls-tree", "--name-only", "origin/main").splitlines())
    assert {name for name in DEPENDENCIES if f"{name}.txt" in there} == set(merged)
    # What the failed one did is kept, and the skipped ones have left no trace.
    assert [
        branch for branch in git(clone, "for-each-ref", "--format=%(refname:short)").split() if "feature" in branch
    ] == ["feature/middle"]
    worktree = product.home / ".worktrees" / "broken" / "middle"
    assert (worktree / "MIDDLE.txt").read_text() == "half\n"
