"""Whatever is done in a worktree, in whatever order: removed and restored, its bytes are the same."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.worktrees import WorktreePlan
from tests.git.folders import picture

NAMES = ("a.txt", "b.bin", "dir/c.txt", "dir/sub/d", "dir", "e\udcff", "f g", "link", "link\r", "\rh", ".gitignore")
CONTENTS = (b"", b"one\n", b"two\r\n", b"\0\xff", b"e\xcc\x81", b"*.bin\n", b"x" * 5_000, b"z")


class Step(NamedTuple):
    """One thing done to one path."""

    what: str
    name: str
    content: bytes


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(("write", "write", "delete", "link", "program", "add", "unstage", "commit", "stash", "mkdir")),
        st.sampled_from(NAMES),
        st.sampled_from(CONTENTS),
    ),
    max_size=14,
)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def clear(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        with contextlib.suppress(NotADirectoryError):  # a file is on its way
            place.unlink(missing_ok=True)


def make_way(root: Path, name: str) -> Path:
    """The path of `name`, with nothing in its place and real folders on its way."""
    place = root
    for part in name.split("/")[:-1]:
        place /= part
        if place.is_symlink() or not place.is_dir():
            clear(place)
            place.mkdir()
    clear(root / name)
    return root / name


def do(root: Path, step: Step) -> None:
    what, name, content = step
    if what in {"write", "program"}:
        place = make_way(root, name)
        place.write_bytes(content)
        place.chmod(0o755 if what == "program" else 0o644)
    elif what == "delete":
        clear(root / name)
    elif what == "link":
        make_way(root, name).symlink_to(os.fsdecode(content.replace(b"\0", b"0")[:50] or b"."))
    elif what == "mkdir":
        make_way(root, name).mkdir()
    elif what == "add":
        git(root, "add", "--", name)
    elif what == "unstage":
        git(root, "rm", "-r", "--quiet", "--cached", "--", name)
    else:
        git(root, *(("commit", "--quiet", "--message", "x") if what == "commit" else ("stash", "push", "--quiet")))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a few files, made once and copied for each example."""
    root = tmp_path_factory.mktemp("base") / "repo"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    for name in ("a.txt", "dir/c.txt", "dir/sub/d", "z/c.txt", "z/kept"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"base\n")
    git(root, "add", "--all")
    named = ("-c", "user.name=T", "-c", "user.email=t@example.invalid")
    git(root, *named, "commit", "--quiet", "--message", "base")
    return root


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_same_bytes_come_back(base: Path, steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch).resolve()
        repository = open_repository(shutil.copytree(base, folder / "repo"))
        head = git(base, "rev-parse", "main")
        path, back = folder / "trees/t", folder / "back"
        ignored = (".gitignore", "*.bin")  # also what an agent chose to ignore
        repository.ensure_worktree(WorktreePlan("worker-1", "feature/t", "main", head, path, keep_ignored=ignored))
        for step in steps:
            do(path, step)
        before, staged = picture(path), git(path, "diff", "--cached", "--raw", "--no-abbrev")
        at = git(path, "rev-parse", "HEAD")

        ref = repository.remove_worktree(path, force=True)

        assert not path.exists()
        if ref is None:
            git(repository.path, "worktree", "add", "--quiet", str(back), "feature/t")
        else:
            repository.restore_rescue(repository.find_rescue(ref), "back", back)
        assert git(back, "rev-parse", "HEAD") == at
        assert picture(back) == before
        assert git(back, "diff", "--cached", "--raw", "--no-abbrev") == staged
