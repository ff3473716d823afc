"""Removal is killed with SIGKILL, runs out of disk, or races: nothing is lost, and running it again finishes."""

from __future__ import annotations

import os
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from parallel_workers.adapters.git import deletion, removal
from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.errors import GitCommandError, ParallelWorkersError, UnsavedWorkError
from parallel_workers.identity import RESCUE_REF_PREFIX
from parallel_workers.worktrees import WorktreePlan
from tests.conftest import Git
from tests.git.conftest import MakePlan
from tests.git.folders import Picture, picture

ROOT = Path(__file__).parents[2]
REMOVE = """
import sys
from pathlib import Path
from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.worktrees import WorktreePlan
repository, worker, branch, base_sha, path, head = sys.argv[1:7]
git = open_repository(repository)
if head:
    git.remove_worker(WorktreePlan(worker, branch, "main", base_sha, Path(path)), head)
else:
    git.remove_worktree(Path(path), force=True)
"""
REMOVING = (
    "rescue.files-stored",
    "rescue.commit-made",
    "rescue.ref-written",
    "removal.saved",
    "removal.noted",
    "removal.moved-aside",
    "removal.looked-again",
    "removal.half-deleted",
    "removal.folder-deleted",
    "removal.record-moved",
)
AFTER_MERGE = (*REMOVING, "removal.worktree-removed", "removal.remote-branch-deleted", "removal.refs-deleted")


@pytest.fixture
def plan(repository: GitPythonRepository, make_plan: MakePlan) -> WorktreePlan:
    """A worktree with staged, changed and untracked files on top of a commit."""
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    (plan.path / "done.txt").write_text("done\n", encoding="utf-8")
    repository.commit_all(plan.path, "done")
    (plan.path / "README.md").write_text("staged\n", encoding="utf-8")
    subprocess.run(["git", "add", "README.md"], cwd=plan.path, check=True)
    (plan.path / "README.md").write_text("changed\n", encoding="utf-8")
    (plan.path / "new folder").mkdir()
    for number in range(20):
        (plan.path / f"new folder/{number}.txt").write_text(f"{number}\n", encoding="utf-8")
    return plan


@pytest.fixture
def before(plan: WorktreePlan) -> Picture:
    return picture(plan.path)


def begin(repository: GitPythonRepository, plan: WorktreePlan, head: str = "", **more: str) -> subprocess.Popen[str]:
    """Removal in a process of its own; after a merge when the merged `head` is given."""
    named = (str(repository.path), plan.worker, plan.branch, plan.base_sha, str(plan.path), head)
    return subprocess.Popen(
        [sys.executable, "-c", REMOVE, *named],
        env={**os.environ, "PYTHONPATH": str(ROOT), **more},
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> int:
    _, said = process.communicate(timeout=60)
    assert process.returncode in {0, -signal.SIGKILL}, said
    return process.returncode


def assert_all_is_there(repository: GitPythonRepository, plan: WorktreePlan, before: Picture, place: Path) -> None:
    """Gone, nothing left beside it, and the newest rescue has every byte."""
    assert not plan.path.exists()
    assert list(plan.path.parent.iterdir()) == []
    assert repository.list_worktrees() == ()
    assert not (repository.common_dir / "parallel-workers-removed").exists()
    (rescue,) = repository.list_rescues()
    repository.restore_rescue(rescue, "back", place)
    assert picture(place) == before


def test_every_point_is_in_a_test() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "parallel_workers/adapters").rglob("*.py"))
    assert set(re.findall(r'reach\("((?:removal|rescue)\.[^"]+)"\)', code)) == set(AFTER_MERGE)


@pytest.mark.parametrize("point", REMOVING)
def test_killed_while_a_worktree_is_removed(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, tmp_path: Path, git: Git, point: str
) -> None:
    git(repository.path, "worktree", "lock", str(plan.path))
    assert end(begin(repository, plan, PARALLEL_WORKERS_CRASH_AT=point)) == -signal.SIGKILL
    if repository.list_worktrees():
        assert end(begin(repository, plan)) == 0
    else:
        assert (repository.common_dir / "parallel-workers-removed").is_dir()
        repository.prune()
    assert_all_is_there(repository, plan, before, tmp_path / "back")


@pytest.mark.parametrize("point", AFTER_MERGE)
def test_killed_while_a_merged_worker_is_removed(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, tmp_path: Path, git: Git, point: str
) -> None:
    head = repository.push_branch(plan.branch)
    git(repository.path, "push", "--quiet", "origin", f"{plan.branch}:main")
    assert end(begin(repository, plan, head, PARALLEL_WORKERS_CRASH_AT=point)) == -signal.SIGKILL

    assert end(begin(repository, plan, head)) == 0

    repository.prune()
    refs = git(repository.path, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/parallel-workers").split()
    assert [ref for ref in refs if not ref.startswith(RESCUE_REF_PREFIX)] == ["refs/heads/main"]
    assert git(tmp_path / "repo.git", "branch", "--list", plan.branch) == ""
    assert_all_is_there(repository, plan, before, tmp_path / "back")


@pytest.mark.parametrize("point", ["removal.moved-aside", "removal.half-deleted", "removal.folder-deleted"])
def test_the_task_can_be_begun_anew_after_a_kill(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, tmp_path: Path, point: str
) -> None:
    assert end(begin(repository, plan, PARALLEL_WORKERS_CRASH_AT=point)) == -signal.SIGKILL

    assert repository.ensure_worktree(plan).adopted

    assert (plan.path / "done.txt").exists()
    assert [path.name for path in plan.path.parent.iterdir()] == [plan.path.name]
    (rescue,) = repository.list_rescues()
    repository.restore_rescue(rescue, "back", tmp_path / "back")
    assert picture(tmp_path / "back") == before


@pytest.mark.parametrize("point", ["removal.moved-aside", "removal.looked-again", "removal.half-deleted"])
def test_what_a_program_writes_after_the_kill_is_saved_too(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, tmp_path: Path, point: str
) -> None:
    """One that was at work in the folder goes on there, whatever it is called by now."""
    told = "read line; echo late > late.txt; echo more >> README.md; mv {} moved.txt; echo done; read line"
    (tmp_path / "old.txt").write_text("old", encoding="utf-8")
    os.utime(tmp_path / "old.txt", (1, 1))
    program = subprocess.Popen(
        ["sh", "-c", told.format(tmp_path / "old.txt")],
        cwd=plan.path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdin
    assert program.stdout
    assert end(begin(repository, plan, PARALLEL_WORKERS_CRASH_AT=point)) == -signal.SIGKILL
    program.stdin.write("go on\n")
    program.stdin.flush()
    assert program.stdout.readline() == "done\n"

    repository.remove_worktree(plan.path, force=True)
    program.communicate("end\n")

    pictures = []
    for number, rescue in enumerate(repository.list_rescues()):
        repository.restore_rescue(rescue, f"back-{number}", tmp_path / f"back-{number}")
        pictures.append(picture(tmp_path / f"back-{number}"))
    assert before in pictures
    assert {b"late.txt", b"moved.txt"} <= pictures[0].keys()
    assert (tmp_path / "back-0/README.md").read_text(encoding="utf-8").endswith("more\n")
    assert list(plan.path.parent.iterdir()) == []


def half_deleted(repository: GitPythonRepository, plan: WorktreePlan) -> Path:
    """Where the rest lies of one that was killed in the middle of its deletion."""
    assert end(begin(repository, plan, PARALLEL_WORKERS_CRASH_AT="removal.half-deleted")) == -signal.SIGKILL
    (aside,) = plan.path.parent.iterdir()
    return aside


def test_one_that_was_deleted_half_way_does_not_come_back(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, tmp_path: Path
) -> None:
    """A worktree in which half of the files are missing looks as if somebody had deleted them."""
    aside = half_deleted(repository, plan)
    (aside / "late.txt").write_bytes(os.urandom(300_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises((GitCommandError, UnsavedWorkError)):
            repository.remove_worktree(plan.path, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not plan.path.exists()
    late = (aside / "late.txt").read_bytes()

    ref = repository.remove_worktree(plan.path)

    newest, first = repository.list_rescues()
    assert (newest.ref, newest.what) == (ref, ("1 untracked file",))
    repository.restore_rescue(newest, "late", tmp_path / "late")
    assert (tmp_path / "late/late.txt").read_bytes() == late
    repository.restore_rescue(first, "back", tmp_path / "back")
    assert picture(tmp_path / "back") == before
    assert list(plan.path.parent.iterdir()) == []


def test_late_files_that_git_ignores_are_not_kept(
    repository: GitPythonRepository, make_plan: MakePlan, tmp_path: Path
) -> None:
    (repository.common_dir / "info/exclude").write_text("build/\n", encoding="utf-8")
    plan = make_plan(repository, "TASK-2", keep_ignored=("*.keep",))
    repository.ensure_worktree(plan)
    (plan.path / "work.txt").write_text("work", encoding="utf-8")
    aside = half_deleted(repository, plan)
    (aside / "build").mkdir(exist_ok=True)
    (aside / "build/late.o").touch()
    (aside / "build/late.keep").touch()

    repository.remove_worktree(plan.path)

    assert [file.path for file in repository.list_rescues()[0].files] == ["build/late.keep"]


def test_a_repository_that_came_late_stays(repository: GitPythonRepository, plan: WorktreePlan, git: Git) -> None:
    aside = half_deleted(repository, plan)
    git(aside, "init", "--quiet", "mine")

    with pytest.raises(UnsavedWorkError, match=r"a repository came into it meanwhile: .*/mine"):
        repository.remove_worktree(plan.path, force=True)

    assert (aside / "mine/.git/HEAD").exists()


def test_killed_at_any_moment(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, tmp_path: Path
) -> None:
    chosen = random.Random(5)  # noqa: S311 - moments, not secrets
    for _ in range(6):
        process = begin(repository, plan)
        time.sleep(chosen.uniform(0.1, 0.6))
        process.kill()
        process.communicate()
        if not repository.list_worktrees():
            break
    if repository.list_worktrees():
        assert end(begin(repository, plan)) == 0
    repository.prune()
    assert_all_is_there(repository, plan, before, tmp_path / "back")


def test_nothing_is_removed_when_the_disk_is_full(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plan.path / "large.bin").write_bytes(os.urandom(300_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(GitCommandError):
            repository.remove_worktree(plan.path, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert {name: content for name, content in picture(plan.path).items() if name != b"large.bin"} == before
    assert repository.list_rescues() == ()
    assert repository.remove_worktree(plan.path, force=True) is not None


def test_nothing_is_removed_when_the_ref_cannot_be_made(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, git: Git
) -> None:
    git(repository.path, "update-ref", f"{RESCUE_REF_PREFIX}{plan.worker}", "main")

    with pytest.raises(GitCommandError, match="cannot lock ref"):
        repository.remove_worktree(plan.path, force=True)

    assert picture(plan.path) == before


def test_it_is_put_back_when_the_second_look_fails(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_temporary_folder(point: str) -> None:
        if point == "removal.moved-aside":
            monkeypatch.setattr(tempfile, "tempdir", "/nowhere")

    monkeypatch.setattr(deletion, "reach", lose_temporary_folder)
    with pytest.raises(UnsavedWorkError, match="is not removed, because what is in it could not be saved"):
        repository.remove_worktree(plan.path, force=True)

    assert picture(plan.path) == before
    assert [path.name for path in plan.path.parent.iterdir()] == [plan.path.name]


def test_what_is_written_while_it_is_removed_is_saved_too(
    repository: GitPythonRepository, plan: WorktreePlan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def write_late(point: str) -> None:
        if point == "removal.saved":
            (plan.path / "late.txt").write_text("late\n", encoding="utf-8")

    monkeypatch.setattr(removal, "reach", write_late)
    ref = repository.remove_worktree(plan.path, force=True)

    newest, _ = repository.list_rescues()
    assert newest.ref == ref
    repository.restore_rescue(newest, "back", tmp_path / "back")
    assert (tmp_path / "back/late.txt").read_text(encoding="utf-8") == "late\n"


def test_what_is_written_late_stops_a_removal_that_was_not_forced(
    repository: GitPythonRepository, make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(repository, "TASK-2")
    repository.ensure_worktree(plan)

    def write_late(point: str) -> None:
        if point == "removal.saved":
            (plan.path / "late.txt").write_text("late\n", encoding="utf-8")

    monkeypatch.setattr(removal, "reach", write_late)
    with pytest.raises(UnsavedWorkError, match=r"late\.txt"):
        repository.remove_worktree(plan.path)

    assert (plan.path / "late.txt").exists(), "it is back where it was"
    assert [path.name for path in plan.path.parent.iterdir()] == [plan.path.name]


CHURN = """
import os, sys
build = os.open("build", os.O_RDONLY)
print("begun", flush=True)
while True:
    try:
        for number in range(20):
            os.close(os.open(f"{number}.o", os.O_CREAT | os.O_WRONLY, dir_fd=build))
        for number in range(20):
            os.unlink(f"{number}.o", dir_fd=build)
    except OSError:
        sys.exit()
"""


def test_files_that_come_and_go_do_not_break_it_off(
    repository: GitPythonRepository, make_plan: MakePlan, git: Git
) -> None:
    for number in range(4):
        plan = make_plan(repository, f"TASK-{number}")
        repository.ensure_worktree(plan)
        (plan.path / "build").mkdir()
        (plan.path / ".gitignore").write_text("build/\n", encoding="utf-8")
        repository.commit_all(plan.path, "ignore")
        builder = subprocess.Popen([sys.executable, "-c", CHURN], cwd=plan.path, stdout=subprocess.PIPE, text=True)
        assert builder.stdout
        builder.stdout.readline()
        try:
            repository.remove_worktree(plan.path, force=True)
        except ParallelWorkersError as error:
            assert "something still writes to it" in str(error)
        finally:
            builder.kill()
            builder.communicate()
        repository.prune()
        assert list(plan.path.parent.iterdir()) == []
    assert git(repository.path, "worktree", "list", "--porcelain").count("worktree ") == 1


def test_two_removers_at_once(
    repository: GitPythonRepository, plan: WorktreePlan, before: Picture, tmp_path: Path
) -> None:
    processes = [begin(repository, plan) for _ in range(3)]
    said = [process.communicate(timeout=60)[1] for process in processes]
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0 or "is no worktree of" in text, text
    assert_all_is_there(repository, plan, before, tmp_path / "back")
