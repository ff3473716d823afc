"""While git makes a worktree, its HEAD names no object for a moment, and a plain fetch at that moment fails."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from parallel_workers.adapters.git.repository import LOCK_FILE, GitPythonRepository
from parallel_workers.adapters.git.repository_lock import RepositoryLock
from tests.conftest import Git

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
