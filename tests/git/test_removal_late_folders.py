"""Folders that come into a worktree while it is deleted, or after that was cut off in the middle of a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parallel_workers.adapters.git import removal, seen_files
from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.adapters.git.seen_files import SeenFiles
from parallel_workers.errors import ParallelWorkersError, UnsavedWorkError
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan
from tests.git.folders import picture

_FILES = 6


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree with a folder of committed files, and one of files that are not."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    _fill(plan.path / "code")
    repository.commit_all(plan.path, "code")
    _fill(plan.path / "notes")
    return plan


@pytest.fixture
def results(plan: WorktreePlan, tmp_path: Path) -> Path:
    """A folder outside, made before the removal is begun."""
    _fill(tmp_path / "results/deep/er")
    return tmp_path / "results"


def _fill(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(_FILES):
        (folder / f"{number}.txt").write_text(f"{folder.name} {number}\n", encoding="utf-8")


class _KilledError(BaseException):
    """Nothing that the code catches."""


@pytest.fixture
def cut_off(
    repository: GitPythonRepository, plan: WorktreePlan, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """`cut_off(folder)` removes the worktree, but only until the third file in `folder`; where the rest lies."""
    real = seen_files._delete_one

    def remove(folder: str) -> Path:
        deleted: list[str] = []

        def delete(root: str, name: str, opened: int, seen: SeenFiles) -> None:
            if root.endswith(f"/{folder}"):
                if len(deleted) == _FILES // 2:
                    raise _KilledError
                deleted.append(name)
            real(root, name, opened, seen)

        with monkeypatch.context() as patched:
            patched.setattr(seen_files, "_delete_one", delete)
            with pytest.raises(_KilledError):
                repository.remove_worktree(plan.path, force=True)
        (aside,) = plan.path.parent.iterdir()
        return aside

    return remove


def test_one_that_is_moved_in_while_it_is_deleted_is_saved_at_the_next_try(
    repository: GitPythonRepository,
    plan: WorktreePlan,
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = picture(results)

    def move_in(point: str) -> None:
        if point == "removal.looked-again":
            (aside,) = plan.path.parent.iterdir()
            results.rename(aside / "results")

    with monkeypatch.context() as patched:
        patched.setattr(removal, "reach", move_in)
        with pytest.raises(ParallelWorkersError, match="something still writes to it"):
            repository.remove_worktree(plan.path, force=True)
    ref = repository.remove_worktree(plan.path, force=True)

    repository.restore_rescue(repository.find_rescue(str(ref)), "back", tmp_path / "back")
    assert picture(tmp_path / "back/results") == before
    assert list(plan.path.parent.iterdir()) == []


@pytest.mark.parametrize("half", ["code", "notes"])
@pytest.mark.parametrize("place", [".", "code", "notes", "new"])
def test_only_one_that_is_moved_in_after_it_was_cut_off_is_saved(
    repository: GitPythonRepository,
    plan: WorktreePlan,
    results: Path,
    cut_off: Callable[[str], Path],
    half: str,
    place: str,
) -> None:
    """Our own deletion changed the times of the folders, too: what was looked at in them is not saved again."""
    aside = cut_off(half)
    assert len(list((aside / half).iterdir())) == _FILES // 2
    (aside / place).mkdir(exist_ok=True)
    results.rename(aside / place / "results")

    ref = repository.remove_worktree(plan.path, force=True)

    saved = repository.find_rescue(str(ref)).files
    expected = {str(Path(place) / f"results/deep/er/{number}.txt") for number in range(_FILES)}
    assert {file.path for file in saved} == expected
    assert len(repository.list_rescues()) == len({half, "and the late one"})
    assert list(plan.path.parent.iterdir()) == []


def test_without_one_nothing_is_saved_again(
    repository: GitPythonRepository, plan: WorktreePlan, cut_off: Callable[[str], Path]
) -> None:
    cut_off("code")
    (first,) = repository.list_rescues()

    assert repository.remove_worktree(plan.path, force=True) == first.ref

    assert repository.list_rescues() == (first,)
    assert list(plan.path.parent.iterdir()) == []


def test_a_repository_that_is_moved_in_stays(
    repository: GitPythonRepository, plan: WorktreePlan, results: Path, cut_off: Callable[[str], Path], git: Git
) -> None:
    git(results, "init", "--quiet", "mine")
    aside = cut_off("code")
    results.rename(aside / "code/results")

    with pytest.raises(UnsavedWorkError, match=r"a repository came into it meanwhile: .*/code/results/mine"):
        repository.remove_worktree(plan.path, force=True)

    assert (aside / "code/results/mine/.git/HEAD").exists()


def test_all_is_saved_again_when_an_older_version_was_cut_off(
    repository: GitPythonRepository, plan: WorktreePlan, results: Path, cut_off: Callable[[str], Path]
) -> None:
    """It did not note which folders it had looked at."""
    aside = cut_off("notes")
    note = repository.common_dir / "worktrees" / plan.path.name / "parallel-workers-removing"
    note.write_text(json.dumps(json.loads(note.read_text(encoding="ascii"))[:3]), encoding="ascii")
    left = {f"notes/{path.name}" for path in (aside / "notes").iterdir()}
    results.rename(aside / "results")

    ref = repository.remove_worktree(plan.path, force=True)

    saved = {file.path for file in repository.find_rescue(str(ref)).files}
    assert saved >= left | {f"results/deep/er/{number}.txt" for number in range(_FILES)}


def test_what_comes_where_a_folder_went_during_the_look_was_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    (folder / "build").mkdir(parents=True)
    walk = os.walk

    def lose(top: Path, onerror: Callable[[OSError], object]) -> Iterator[tuple[str, list[str], list[str]]]:
        for root, folders, files in walk(top, onerror=onerror):
            yield root, folders, files
            if folders:
                (folder / "build").rmdir()

    with monkeypatch.context() as patched:
        patched.setattr(os, "walk", lose)
        seen = SeenFiles(folder)
    _fill(folder / "build")

    late = folder / "build/0.txt"
    assert not seen.holds(str(late), late.lstat())
