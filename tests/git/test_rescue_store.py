"""Rescue refs that others made: by an earlier version, or by an agent that means harm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.errors import (
    GitCommandError,
    ParallelWorkersError,
    RestoreFailedError,
    UnsavedWorkError,
    UsageError,
    WorktreeConflictError,
)
from parallel_workers.identity import RESCUE_REF_PREFIX
from tests.conftest import Git

OLD = f"{RESCUE_REF_PREFIX}worker-old/20260101T000000.000000Z"


def feed(repository: GitPythonRepository, text: str, *arguments: str) -> str:
    """Run a git that reads `text`."""
    done = subprocess.run(
        ["git", *arguments], cwd=repository.path, input=text, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def blob(repository: GitPythonRepository, text: str) -> str:
    return feed(repository, text, "hash-object", "-w", "--stdin")


def plant(repository: GitPythonRepository, git: Git, manifest: object) -> str:
    """A rescue ref with this manifest, as anybody could write it."""
    path = repository.path
    text = blob(repository, json.dumps(manifest))
    tree = feed(repository, f"100644 blob {text}\tmanifest.json\n", "mktree")
    state = git(path, "commit-tree", "-m", "state", tree)
    head = git(path, "rev-parse", "main")
    commit = git(path, "commit-tree", "-p", head, "-p", state, "-m", "planted", "main^{tree}")
    git(path, "update-ref", OLD, commit)
    return commit


def manifest_of(repository: GitPythonRepository, git: Git, name: str, mode: str = "100644") -> dict[str, object]:
    content = blob(repository, "planted")
    return {
        "worker": "worker-old",
        "branch": "feature/x",
        "worktree": "/trees/x",
        "what": ["1 untracked file"],
        "head_sha": git(repository.path, "rev-parse", "main"),
        "files": [["untracked", name, mode, content]],
        "entries": [],
    }


def test_one_of_an_earlier_version_comes_back(repository: GitPythonRepository, tmp_path: Path, git: Git) -> None:
    path = repository.path
    (path / "README.md").write_text("changed", encoding="utf-8")
    (path / "src/one.txt").unlink()
    (path / "new.txt").write_text("new", encoding="utf-8")
    git(path, "add", "--all")
    git(path, "update-ref", OLD, git(path, "commit-tree", "-p", "HEAD", "-m", "rescue", git(path, "write-tree")))
    git(path, "reset", "--quiet", "--hard")

    (found,) = repository.list_rescues()
    repository.restore_rescue(found, "back", tmp_path / "back")

    assert (found.name, found.saved_at.year) == ("worker-old/20260101T000000.000000Z", 2026)
    assert git(tmp_path / "back", "status", "--porcelain").splitlines() == [
        "M README.md", " D src/one.txt", "?? new.txt",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", ".git/config", "src/../../out.txt", "a//b"])
def test_a_name_that_leads_out_is_refused(repository: GitPythonRepository, tmp_path: Path, git: Git, name: str) -> None:
    plant(repository, git, manifest_of(repository, git, name))
    (found,) = repository.list_rescues()

    with pytest.raises(UnsavedWorkError, match="is no file of a worktree"):
        repository.restore_rescue(found, "back", tmp_path / "back")

    assert not (tmp_path / "out.txt").exists()
    assert not (tmp_path / "back").exists()
    assert git(repository.path, "branch", "--list", "back") == "", "nothing was begun"


def test_a_link_on_the_way_is_not_followed(repository: GitPythonRepository, tmp_path: Path, git: Git) -> None:
    (tmp_path / "outside").mkdir()
    manifest = manifest_of(repository, git, "way/file")
    link = ["untracked", "way", "120000", blob(repository, str(tmp_path / "outside"))]
    plant(repository, git, {**manifest, "files": [link, *manifest["files"]]})  # type: ignore[misc]
    (found,) = repository.list_rescues()

    repository.restore_rescue(found, "back", tmp_path / "back")

    assert list((tmp_path / "outside").iterdir()) == []
    assert (tmp_path / "back/way").readlink() == tmp_path / "outside"


@pytest.mark.parametrize("manifest", [[], {}, {"files": 7}, "text", {"worker": "w", "files": [["one"]]}])
def test_a_manifest_that_is_none_does_not_hide_the_others(
    repository: GitPythonRepository, git: Git, manifest: object
) -> None:
    plant(repository, git, manifest)
    (found,) = repository.list_rescues()
    assert found.ref == OLD


def test_names_and_places(repository: GitPythonRepository, tmp_path: Path, git: Git) -> None:
    commit = plant(repository, git, manifest_of(repository, git, "new.txt"))
    git(repository.path, "update-ref", OLD.replace("2026", "2025"), commit)
    assert [one.saved_at.year for one in repository.list_rescues()] == [2026, 2025]
    assert repository.find_rescue(OLD) == repository.find_rescue("worker-old/2026")
    with pytest.raises(UsageError, match="2 rescues begin with 'worker-old'"):
        repository.find_rescue("worker-old")
    found = repository.find_rescue(OLD)
    for branch in ("-x", "a..b", "a b"):
        with pytest.raises(UsageError, match="is no name for a branch"):
            repository.restore_rescue(found, branch)
    with pytest.raises(WorktreeConflictError, match="branch main exists already"):
        repository.restore_rescue(found, "main")
    with pytest.raises(UsageError, match="is inside the repository"):
        repository.restore_rescue(found, "back", repository.path / "inner")
    (tmp_path / "taken").touch()
    with pytest.raises(WorktreeConflictError, match="exists already and is left as it is"):
        repository.restore_rescue(found, "back", tmp_path / "taken")


def test_one_that_was_moved_meanwhile_is_not_dropped(repository: GitPythonRepository, git: Git) -> None:
    plant(repository, git, manifest_of(repository, git, "new.txt"))
    (found,) = repository.list_rescues()
    git(repository.path, "update-ref", OLD, "main")
    with pytest.raises(GitCommandError):
        repository.drop_rescues([found])
    assert len(repository.list_rescues()) == 1


def test_a_branch_is_not_left_behind_when_the_worktree_cannot_be_made(
    repository: GitPythonRepository, tmp_path: Path, git: Git
) -> None:
    plant(repository, git, manifest_of(repository, git, "new.txt"))
    (found,) = repository.list_rescues()
    (tmp_path / "file").touch()

    with pytest.raises((OSError, ParallelWorkersError)):
        repository.restore_rescue(found, "back", tmp_path / "file/back")

    assert git(repository.path, "branch", "--list", "back") == ""


@pytest.mark.parametrize("what", ["cannot be written", "is not there", "HEAD's is not there"])
def test_nothing_half_made_is_left_of_a_restore_that_fails(
    repository: GitPythonRepository, tmp_path: Path, git: Git, what: str
) -> None:
    manifest = manifest_of(repository, git, "x" * 300 if what == "cannot be written" else "new.txt")
    if what == "is not there":
        manifest = {**manifest, "files": [["untracked", "new.txt", "100644", "1" * 40]]}
    plant(repository, git, manifest)
    (found,) = repository.list_rescues()
    if what == "HEAD's is not there":
        lost = git(repository.path, "rev-parse", "HEAD:src/one.txt")
        (repository.common_dir / "objects" / lost[:2] / lost[2:]).unlink()
    back = tmp_path / "back"
    back.mkdir()

    kind = UnsavedWorkError if what == "is not there" else RestoreFailedError
    with pytest.raises(kind, match=r"Nothing is left of it, and the rescue is still there|is not in the repository"):
        repository.restore_rescue(found, "back", back)

    assert list(back.iterdir()) == []
    assert repository.list_worktrees() == ()
    assert git(repository.path, "branch", "--list", "back") == ""
    assert repository.list_rescues() == (found,)
