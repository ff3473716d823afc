"""Full and read-only disks, and branches or a repository that others changed meanwhile (docs/faults.md)."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.embedded_server import ServerAddress
from flows.worker_states import read_worker_logs
from parallel_workers.locations import data_folder
from tests.conftest import Git, TellFault
from tests.prefect.faults import Place, can_mount, fill, resize, small_disk

_THEN_MERGED = "failed; run again: merged"


@pytest.fixture
def place(prefect_server: ServerAddress, make_repository: Callable[..., Path], tmp_path: Path) -> Place:
    return Place(make_repository(bare_remote=True), tmp_path / "trees")


@pytest.fixture
def may_mount(tmp_path: Path) -> None:
    if not can_mount(tmp_path / "probe"):
        pytest.skip("a full disk is shown with a small tmpfs, which only root may mount")


async def test_the_disk_of_the_worktrees_is_full(
    place: Place, may_mount: None, tmp_path: Path, git: Git, tell_fault: TellFault
) -> None:
    with small_disk(tmp_path / "disk") as disk:
        small = place._replace(trees=disk)
        full = await small.run("echo first > first.txt; head -c 3000000 /dev/zero > ballast || exit 9")
        assert full.result == "failed"
        assert full.reason.startswith("agent ended 9")
        resize(disk, "20m")
        assert (await small.run("rm ballast; echo second > second.txt")).result == "merged"
    assert {"first.txt", "second.txt"} <= set(git(place.remote, "ls-tree", "--name-only", "main").split())
    tell_fault("disk of the worktrees is full", _THEN_MERGED, full.reason)


async def test_the_disk_of_the_logs_fills_up(place: Place, may_mount: None, tell_fault: TellFault) -> None:
    with small_disk(data_folder().root / "runs"):
        full = await place.run("yes | head -c 3000000; echo x > x.txt")
        assert full.result == "merged"
    said: list[str] = []
    deadline = time.monotonic() + 30
    while not said and time.monotonic() < deadline:  # Prefect sends log lines every two seconds
        await asyncio.sleep(0.3)
        said = [line async for line in read_worker_logs(full.worker_id) if "output is no longer kept in" in line]
    assert [line.rpartition(": ")[2] for line in said] == ["No space left on device"]
    tell_fault("disk of the logs is filled by the output", full.result, said[0].partition(" ")[2])


async def test_the_disk_of_the_logs_is_full_from_the_start(
    place: Place, may_mount: None, tell_fault: TellFault
) -> None:
    with small_disk(data_folder().root / "runs") as disk:
        fill(disk)
        full = await place.run("echo x > x.txt")
        assert full.result == "failed"
        assert full.reason.startswith("No space left on device")
        assert "what the worker has done is kept. Make room there, and run again" in full.reason
        (disk / "ballast").unlink()
        assert (await place.run("echo x > x.txt")).result == "merged"
    tell_fault("disk of the logs is full from the start", _THEN_MERGED, full.reason)


async def test_the_disk_of_prefects_home_is_full(
    place: Place, may_mount: None, isolated_environment: Path, tmp_path: Path, tell_fault: TellFault
) -> None:
    with small_disk(isolated_environment / ".prefect") as disk:
        fill(disk)
        assert (await place.run(f"echo run >> {tmp_path}/runs; echo x > x.txt")).result == "merged"
    assert (tmp_path / "runs").read_text() == "run\n"
    tell_fault("disk of Prefect's home is full", "merged, the agent once", "")


async def test_the_worktree_root_is_read_only(
    place: Place, may_mount: None, tmp_path: Path, tell_fault: TellFault
) -> None:
    with small_disk(tmp_path / "disk", "ro") as disk:
        refused = await place._replace(trees=disk).run("echo x > x.txt")
    assert refused.result == "failed"
    assert refused.reason.startswith("Read-only file system")
    assert "Choose a folder that can be written to, and run again" in refused.reason
    assert (await place.run("echo x > x.txt")).result == "merged"
    tell_fault("worktree root is read-only", _THEN_MERGED, refused.reason)


async def test_the_base_branch_is_deleted_meanwhile(place: Place, git: Git, tell_fault: TellFault) -> None:
    git(place.repository, "push", "--quiet", "origin", "main:refs/heads/release")
    delete = f"git -C {place.remote} update-ref -d refs/heads/release; echo x > x.txt"
    gone = await place.run(delete, base_branch="release")
    assert gone.result == "failed"
    assert "has no branch 'release' to merge into" in gone.reason
    assert git(place.remote, "show", "feature/t:x.txt") == "x", "the work is kept"
    git(place.repository, "push", "--quiet", "origin", "main:refs/heads/release")
    assert (await place.run("echo x > x.txt", base_branch="release")).result == "merged"
    tell_fault("base branch is deleted meanwhile", _THEN_MERGED, gone.reason)


async def test_the_base_branch_is_rewritten_meanwhile(place: Place, git: Git, tell_fault: TellFault) -> None:
    other = git(place.repository, "commit-tree", "-m", "chore: begin anew", "main^{tree}")
    git(place.repository, "push", "--quiet", "origin", f"{other}:refs/heads/spare")
    rewrite = f"git -C {place.remote} update-ref refs/heads/main {other}; echo x > x.txt"
    assert (await place.run(rewrite)).result == "merged"
    assert git(place.remote, "show", "main:x.txt") == "x"
    assert other in git(place.remote, "rev-list", "--first-parent", "main").split(), "their rewrite stands"
    tell_fault("base branch is force-pushed meanwhile", "merged into theirs", "")


async def test_somebody_else_pushed_a_branch_of_that_name(place: Place, git: Git, tell_fault: TellFault) -> None:
    theirs = git(place.repository, "commit-tree", "-p", "main", "-m", "feat: theirs", "main^{tree}")
    git(place.repository, "push", "--quiet", "origin", f"{theirs}:refs/heads/spare")
    push = f"git -C {place.remote} update-ref refs/heads/feature/t {theirs}; echo x > x.txt"
    refused = await place.run(push)
    assert refused.result == "failed"
    assert "somebody else pushed there, and nothing was overwritten" in refused.reason
    assert git(place.remote, "rev-parse", "feature/t") == theirs
    assert git(place.repository, "show", "feature/t:x.txt") == "x", "the work is kept"
    git(place.remote, "update-ref", "-d", "refs/heads/feature/t")
    assert (await place.run(push)).result == "merged"
    tell_fault("branch is pushed by somebody else", _THEN_MERGED, refused.reason)


async def test_the_repository_was_moved(place: Place, git: Git, tell_fault: TellFault) -> None:
    assert (await place.run("echo left > left.txt; exit 3")).result == "failed"
    moved = place._replace(repository=place.repository.with_name("moved"))
    shutil.move(place.repository, moved.repository)
    shutil.copytree(place.remote, moved.remote)
    again = await moved.run("echo more > more.txt")
    assert again.result == "merged", again.reason
    names = git(place.remote, "ls-tree", "--name-only", "main").split()
    assert {"left.txt", "more.txt"} <= set(names), "what was left uncommitted before the move is there too"
    tell_fault("repository is moved", "merged, with what was uncommitted", again.reason)


async def test_the_spec_of_a_finished_task_is_changed(place: Place, tmp_path: Path, tell_fault: TellFault) -> None:
    shell = f"echo run >> {tmp_path}/runs; echo x > x.txt"
    assert (await place.run(shell)).result == "merged"
    changed = await place.run(shell, timeout=7.0)
    assert (changed.result, changed.already_done) == ("merged", True)
    way_out = f"to do it again: parallel-workers state remove {changed.worker_id}"
    assert changed.reason.endswith(f"; the spec has changed since then; {way_out}")
    assert (tmp_path / "runs").read_text() == "run\n"
    tell_fault("spec of a finished task is changed", "left as it is", changed.reason)
