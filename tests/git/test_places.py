"""What a folder is like that we are to write to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parallel_workers.adapters.places import find_clone, is_shared, look_at_place


def test_a_folder_that_will_be_made_is_judged_by_what_is_there(tmp_path: Path) -> None:
    place = look_at_place("worktree root", tmp_path / "a" / "b")
    assert (place.name, place.path, place.writable, place.clone) == ("worktree root", tmp_path / "a" / "b", True, None)
    assert 0 < place.free <= place.total
    assert not (tmp_path / "a").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_one_that_may_not_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert not look_at_place("data folder", tmp_path / "a").writable
    tmp_path.chmod(0o700)


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not look_at_place("data folder", tmp_path / "file").writable


def test_a_folder_inside_a_checkout_or_a_bare_repository(clone: Path, tmp_path: Path) -> None:
    bare = clone.with_suffix(".git")
    assert look_at_place("worktree root", clone / "trees" / "deep").clone == clone
    assert find_clone(bare / "trees") == bare
    assert find_clone(tmp_path) is None


def test_a_local_disk_is_not_shared(tmp_path: Path) -> None:
    assert not is_shared(tmp_path)
