"""With `merge: manual` a person merges, with our command or with plain git; a waiting run notices either."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Git
from tests.e2e.product import RUN, Product, Task, finish, wait_until, write_batch


def open_pulls(product: Product, repository: Path) -> Any:
    """The open pull requests; [] also while there is no place for them yet."""
    listed = product.call("pr", "list", "--repository", str(repository), "--json")
    return listed.data if listed.exit_code == 0 else []


def begin(product: Product, repository: Path, spec: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A run under way, and the pull request that it waits for."""
    running = product.begin(*RUN, str(spec))
    wait_until(lambda: open_pulls(product, repository) or running.poll() is not None, "the pull request is open")
    (pull,) = open_pulls(product, repository)
    assert pull["state"] == "open"
    return running, pull


@pytest.mark.parametrize("way", ["git merge", "pr merge", "pr merge --squash"])
def test_a_run_notices_that_a_person_merged(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git, way: str
) -> None:
    repository = make_repository()
    spec = write_batch(tmp_path / "manual.yml", repository, [{"id": "ASK"}], merge="manual")
    running, pull = begin(product, repository, spec)
    try:
        assert not (repository / "ASK.txt").exists()
        if way == "git merge":
            git(repository, "merge", "--quiet", "--no-ff", "--no-edit", pull["branch"])
        else:
            how = way.split()[2:]
            merged = product.call("pr", "merge", str(pull["pr_number"]), *how, "--repository", str(repository))
            assert merged.exit_code == 0, merged.stderr
    finally:
        done = finish(running)
    assert done.exit_code == 0, done.stderr
    assert done.results() == {"ASK": "merged"}
    assert (repository / "ASK.txt").read_text() == "Do ASK\n"
    assert git(repository, "status", "--porcelain") == ""
    assert "feature/" not in git(repository, "for-each-ref")
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert open_pulls(product, repository) == []


def test_a_closed_pull_request_fails_its_task_and_keeps_the_work(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository = make_repository()
    tasks: list[Task] = [{"id": "NO"}, {"id": "AFTER", "dependencies": ["NO"]}]
    running, pull = begin(product, repository, write_batch(tmp_path / "closed.yml", repository, tasks, merge="manual"))
    try:
        number = str(pull["pr_number"])
        closed = product.call("pr", "close", number, "--reason", "not now", "--repository", str(repository))
        assert closed.exit_code == 0, closed.stderr
    finally:
        done = finish(running)
    assert done.exit_code == 1
    assert done.results() == {"NO": "failed", "AFTER": "skipped"}
    assert "not now" in done.reasons()["NO"]
    assert git(repository, "show", "feature/no:NO.txt") == "Do NO"
    assert not (repository / "NO.txt").exists()
