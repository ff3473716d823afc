"""What is mounted in a worktree is not deleted with it. Bind mounts need root and a mount namespace of one's own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parallel_workers.adapters.git.mounts import find_mounts, parse_mounts
from parallel_workers.adapters.git.repository import GitPythonRepository
from tests.git.conftest import MakePlan

_LINES = rb"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
63 22 254:0 /srv/data /trees/with\040space/a\134b rw,relatime shared:1 - ext4 /dev/vda rw
64 22 0:31 / /trees/\303\274\011\012 rw - tmpfs tmpfs rw
"""
_REMOVE = """
import sys
from pathlib import Path
from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.errors import WorktreeConflictError
try:
    open_repository(Path(sys.argv[1])).remove_worktree(Path(sys.argv[2]), force=True)
except WorktreeConflictError as error:
    print(error)
"""


def test_octal_escapes_are_decoded() -> None:
    names = ["/", "/trees/with space/a\\b", os.fsdecode(b"/trees/\303\274\t\n")]
    assert parse_mounts(_LINES) == [Path(name) for name in names]


def test_a_folder_beside_one_where_something_is_mounted(tmp_path: Path) -> None:
    assert find_mounts(tmp_path) == ()


def test_without_proc_other_devices_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parallel_workers.adapters.git.mounts._MOUNTS", tmp_path / "none")
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to("/proc")
    assert find_mounts(tmp_path) == ()
    if Path("/proc/self").is_dir():
        assert Path("/proc") in find_mounts(Path("/proc"))


def test_a_bind_mount_is_not_emptied(repository: GitPythonRepository, make_plan: MakePlan, tmp_path: Path) -> None:
    plan, outside = make_plan(repository), tmp_path / "out side"
    repository.ensure_worktree(plan)
    place = plan.path / "src" / "da ta"
    outside.mkdir()
    place.mkdir()
    (outside / "precious.txt").write_text("precious", encoding="utf-8")
    mount = shlex.join(("mount", "--bind", str(outside), str(place)))
    if os.geteuid() != 0 or not shutil.which("unshare") or subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount], capture_output=True, check=False
    ).returncode:  # fmt: skip
        pytest.skip("nothing can be mounted here")
    remove = shlex.join((sys.executable, "-c", _REMOVE, str(repository.path), str(plan.path)))
    # then what it says, as written, and once more
    told = shlex.join(("umount", str(place)))
    script = f"{mount} && {remove} && {told} && {remove}"

    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False)

    assert (outside / "precious.txt").read_text(encoding="utf-8") == "precious"
    assert f"is mounted in it: src/da ta. Unmount it: {told}, and remove the worktree again" in done.stdout
    assert done.returncode == 0, done.stderr
    assert not plan.path.exists()
