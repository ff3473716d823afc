"""A batch of one task that something goes wrong with, and small disks that can be full or read-only."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from flows.run_batch import RunOptions, carry_out
from parallel_workers.progress import TaskOutcome
from tests.prefect.batches import shell_batch


class Place(NamedTuple):
    """A repository with a bare remote, and where its worktrees go."""

    repository: Path
    trees: Path

    @property
    def remote(self) -> Path:
        """The bare repository behind `origin`."""
        return self.repository.with_suffix(".git")

    async def run(self, shell: str, **options: object) -> TaskOutcome:
        """The outcome of a batch whose one agent runs `shell`, with these options of the batch or a `timeout`."""
        task = {name: options.pop(name) for name in ("timeout",) if name in options}
        batch = shell_batch(self.repository, {"T": {"shell": shell, **task}}, **options)
        run_options = RunOptions(worktree_root=str(self.trees), poll_seconds=0.2)
        (outcome,) = (await carry_out(batch, options=run_options)).tasks
        return outcome


@contextmanager
def small_disk(folder: Path, *options: str) -> Iterator[Path]:
    """A disk of one megabyte at `folder`; only for root. Afterwards it is gone with what is on it."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(("size=1m", *options)), "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def can_mount(folder: Path) -> bool:
    """Whether this user may mount here; in most containers nobody may."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        subprocess.run(["umount", folder], check=True)
    return mounted.returncode == 0


def fill(disk: Path) -> None:
    """Leave no room on it; `ballast` is what takes it all."""
    with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(65536))


def resize(disk: Path, size: str) -> None:
    """Give the disk room."""
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
