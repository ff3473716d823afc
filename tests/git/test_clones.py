"""Clones of repositories named by URL: once, whole, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parallel_workers.adapters.git.clones import clone_path, ensure_clone, is_url
from parallel_workers.errors import GitCommandError, UsageError
from tests.conftest import Git


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("https://example.invalid/a/b.git", True),
        ("ssh://git@example.invalid/a", True),
        ("file:///srv/a.git", True),
        ("git@example.invalid:a/b.git", True),
        ("host:b", True),
        ("ext::sh -c true", True),
        (".", False),
        ("../a", False),
        ("/srv/a:b", False),
        ("./a:b", False),
        ("a b", False),
    ],
)
def test_what_is_a_url(repository: str, expected: bool) -> None:  # noqa: FBT001
    assert is_url(repository) is expected


def test_a_folder_with_a_colon_in_its_name_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_url("host:b")
    (tmp_path / "host:b").mkdir()
    assert not is_url("host:b")


def test_the_path_tells_what_it_is_and_differs_by_url() -> None:
    paths = [clone_path(f"https://example.invalid/{owner}/My Repo.git", Path("/c")) for owner in ("a", "b")]
    assert all(path.name.startswith("my-repo-") for path in paths)
    assert len(set(paths)) == 2
    assert clone_path("https://h.invalid/a/", Path("/c")) == clone_path("https://h.invalid/a", Path("/c"))
    assert clone_path("host:../..", Path("/c")).parent == Path("/c")


def test_many_at_once_make_one_whole_clone(make_repository: Callable[..., Path], tmp_path: Path, git: Git) -> None:
    url, folder = make_repository("my repo").as_uri(), tmp_path / "clones"
    left = folder / f"{clone_path(url, folder).name}.partial"
    left.mkdir(parents=True)
    (left / "half").touch()  # of a clone that was killed
    with ThreadPoolExecutor(4) as pool:
        (clone,) = set(pool.map(lambda _: ensure_clone(url, folder), range(4)))
    assert git(clone, "status", "--porcelain", "--branch") == "## main...origin/main"
    assert git(clone, "remote", "get-url", "origin") == url
    assert not left.exists()
    git(clone, "tag", "kept")
    assert git(ensure_clone(url, folder), "tag") == "kept"


def test_what_cannot_be_cloned_leaves_nothing(tmp_path: Path) -> None:
    url, folder = (tmp_path / "nowhere").as_uri(), tmp_path / "clones"
    with pytest.raises(GitCommandError, match="nowhere"):
        ensure_clone(url, folder)
    assert [path.suffix for path in folder.iterdir()] == [".lock"]


def test_a_url_that_runs_a_command_is_refused_by_git(tmp_path: Path) -> None:
    with pytest.raises(GitCommandError, match="not allowed"):
        ensure_clone(f"ext::touch {tmp_path / 'ran'}", tmp_path / "clones")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "url",
    [
        "https://t0ken@h.invalid/a",
        "https://u:t0ken@h.invalid/a",
        "ssh://u:t0ken@h.invalid/a",
        "https://u:a/t0ken@h.invalid/a",
        "https://h.invalid/a?key=t0ken",
    ],
)
def test_credentials_are_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="credential helper") as refused:
        ensure_clone(url, tmp_path / "clones")
    assert "t0ken" not in str(refused.value)
    assert not (tmp_path / "clones").exists()
