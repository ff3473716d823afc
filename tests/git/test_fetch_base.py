"""The commit a worker starts from is the newest there is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository, open_repository
from parallel_workers.adapters.git.shared_fetch import SharedFetches
from parallel_workers.errors import BaseBranchError, GitCommandError
from tests.conftest import Git


@pytest.fixture
def colleague(clone: Path, tmp_path: Path, git: Git) -> Path:
    """Somebody else's clone of the same remote, one commit further, pushed."""
    path = tmp_path / "colleague"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "repo.git"), str(path))
    git(path, "commit", "--quiet", "--allow-empty", "--message", "theirs")
    git(path, "push", "--quiet", "origin", "main", "main:release/1.0")
    return path


def test_brings_the_remotes_newest_commit(repository: GitPythonRepository, colleague: Path, git: Git) -> None:
    before = git(repository.path, "rev-parse", "main")

    sha = repository.fetch_base("main")

    assert sha == git(colleague, "rev-parse", "HEAD") != before
    assert git(repository.path, "rev-parse", "origin/main") == sha
    assert git(repository.path, "rev-parse", "main") == before, "the local branch is the user's"
    assert not (repository.common_dir / "FETCH_HEAD").exists() or "release" not in (
        repository.common_dir / "FETCH_HEAD"
    ).read_text(encoding="utf-8")


def test_fetches_only_that_branch_and_no_tags(repository: GitPythonRepository, colleague: Path, git: Git) -> None:
    git(colleague, "tag", "v9")
    git(colleague, "push", "--quiet", "--tags")

    repository.fetch_base("main")

    assert git(repository.path, "tag") == ""
    assert "release" not in git(repository.path, "branch", "--remotes")


def test_a_base_only_the_remote_has(repository: GitPythonRepository, colleague: Path, git: Git) -> None:
    assert repository.fetch_base("release/1.0") == git(colleague, "rev-parse", "HEAD")


def test_a_missing_base_names_the_nearest_and_the_fix(
    repository: GitPythonRepository, colleague: Path, git: Git
) -> None:
    git(repository.path, "branch", "maim")

    with pytest.raises(BaseBranchError, match=r"origin has no branch 'maim'; did you mean main.*git push origin maim"):
        repository.fetch_base("maim")


def test_an_empty_remote(clone: Path, tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "empty.git")
    git(clone, "remote", "set-url", "origin", str(tmp_path / "empty.git"))

    with pytest.raises(BaseBranchError, match="no branches at all yet; push the base: git push origin main"):
        open_repository(clone).fetch_base("main")


def test_an_unreachable_remote_is_an_error_of_git(clone: Path, tmp_path: Path, git: Git) -> None:
    git(clone, "remote", "set-url", "origin", str(tmp_path / "nowhere.git"))

    with pytest.raises(GitCommandError, match="does not appear to be a git repository"):
        open_repository(clone).fetch_base("main")


def test_without_a_remote_the_local_branch(make_repository: Callable[..., Path], git: Git) -> None:
    path = make_repository()
    git(path, "pack-refs", "--all")

    assert open_repository(path).fetch_base("main") == git(path, "rev-parse", "main")
    with pytest.raises(BaseBranchError, match="has no branch 'mian'; did you mean main"):
        open_repository(path).fetch_base("mian")


def test_an_unborn_base(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "unborn")

    with pytest.raises(BaseBranchError, match="has no commit on 'main' yet; make one: git commit --allow-empty"):
        open_repository(tmp_path / "unborn").fetch_base("main")


@pytest.mark.parametrize("name", ["", "--upload-pack=evil", "a b", "a:b", "*", "a..b", "x.lock", "^main", "a//b"])
def test_no_branch_name(repository: GitPythonRepository, name: str) -> None:
    with pytest.raises(BaseBranchError, match="no valid branch name"):
        repository.fetch_base(name)


def test_a_shallow_clone(repository: GitPythonRepository, colleague: Path, tmp_path: Path, git: Git) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path}/repo.git", "shallow")
    git(colleague, "commit", "--quiet", "--allow-empty", "--message", "newer")
    git(colleague, "push", "--quiet", "origin", "main")

    assert open_repository(tmp_path / "shallow").fetch_base("main") == git(colleague, "rev-parse", "HEAD")


def test_processes_that_fetch_the_same_news_at_once(repository: GitPythonRepository, colleague: Path, git: Git) -> None:
    """Each its own repository object, as in several processes: nothing is shared but the clone."""
    opened = [open_repository(repository.path) for _ in range(8)]
    for _ in range(3):
        git(colleague, "commit", "--quiet", "--allow-empty", "--message", "more")
        git(colleague, "push", "--quiet", "origin", "main")
        with ThreadPoolExecutor(8) as pool:
            shas = set(pool.map(lambda one: one.fetch_base("main"), opened))

        assert shas == {git(colleague, "rev-parse", "HEAD")}


def test_twenty_at_once_share_fetches() -> None:
    """One runs, the others arrive meanwhile and share exactly one more, which begins after they asked."""
    shared, started, release, runs = SharedFetches(), threading.Event(), threading.Event(), []

    def fetch() -> str:
        runs.append(1)
        answer = str(len(runs))
        started.set()
        assert release.wait(10)
        return answer

    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(shared.run, "main", fetch)
        assert started.wait(10)
        arrived = [threading.Event() for _ in range(19)]

        def ask(event: threading.Event) -> str:
            event.set()
            return shared.run("main", fetch)

        others = [pool.submit(ask, event) for event in arrived]
        assert all(event.wait(10) for event in arrived)
        release.set()
        answers = {future.result(10) for future in others}

    assert first.result() == "1"
    assert "1" not in answers, "a fetch that was under way already may be too old"
    assert len(runs) <= 3


def test_a_failed_fetch_is_told_to_all_and_then_forgotten() -> None:
    shared = SharedFetches()

    def fail() -> str:
        raise BaseBranchError("gone")

    for _ in range(2):
        with pytest.raises(BaseBranchError, match="gone"):
            shared.run("main", fail)
    assert shared.run("main", lambda: "sha") == "sha"
