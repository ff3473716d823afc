"""git reads the records of all worktrees and dies of one that is just being made or removed; we must not."""

from __future__ import annotations

import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import LOCK_FILE, GitPythonRepository
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from parallel_workers.errors import GitCommandError
from tests.conftest import Git
from tests.git.conftest import MakePlan

NO_OBJECT = "0" * 40


def test_a_fetch_waits_for_a_worktree_that_is_just_being_made(
    repository: GitPythonRepository, clone: Path, tmp_path: Path, git: Git
) -> None:
    colleague = tmp_path / "colleague"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "repo.git"), str(colleague))
    git(colleague, "commit", "--quiet", "--allow-empty", "--message", "theirs")
    git(colleague, "push", "--quiet", "origin", "main")
    git(clone, "worktree", "add", "--quiet", "--no-track", "-b", "other", str(tmp_path / "other"))
    head = repository.common_dir / "worktrees" / "other" / "HEAD"
    whole = head.read_text()

    with ThreadPoolExecutor() as threads:
        with RepositoryLock(repository.common_dir / LOCK_FILE).hold():
            head.write_text(f"{NO_OBJECT}\n")
            plain = subprocess.run(
                ["git", "fetch", "origin", "main"], cwd=clone, capture_output=True, text=True, check=False
            )
            assert "bad object worktrees/other/HEAD" in plain.stderr, "git does not mind any more: this can go"
            fetched = threads.submit(repository.fetch_base, "main")
            assert not wait([fetched], timeout=0.5).done
            head.write_text(whole)
        assert fetched.result(timeout=20) == git(colleague, "rev-parse", "HEAD")


VANISHED, EMPTY = "../gone/../..\n", ""


def put_record(repository: GitPythonRepository, common_dir: str) -> Path:
    """A worktree's record as git sees it when its folder vanishes, or its files are made, between two reads."""
    record = repository.common_dir / "worktrees" / "moving"
    record.mkdir(parents=True)
    (record / "gitdir").write_text("/nowhere/moving/.git\n")
    (record / "HEAD").write_text("ref: refs/heads/main\n")
    (record / "commondir").write_text(common_dir)
    return record


@pytest.mark.parametrize("common_dir", [VANISHED, EMPTY])
def test_others_come_and_go_meanwhile(
    repository: GitPythonRepository, clone: Path, make_plan: MakePlan, common_dir: str
) -> None:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    record = put_record(repository, common_dir)
    plain = subprocess.run(
        ["git", "worktree", "remove", str(plan.path)], cwd=clone, capture_output=True, text=True, check=False
    )
    assert plain.returncode != 0, "git does not mind any more: this can go"

    going = threading.Timer(0.1, shutil.rmtree, [record])
    going.start()
    other = make_plan(repository, "TASK-2")
    repository.ensure_worktree(other)
    going.join()
    assert {one.path for one in repository.list_worktrees()} == {plan.path, other.path}


def test_a_broken_record_that_stays_is_an_error(repository: GitPythonRepository, make_plan: MakePlan) -> None:
    put_record(repository, VANISHED)
    with pytest.raises(GitCommandError, match="Invalid path"):
        repository.ensure_worktree(make_plan(repository))
