"""Where the product keeps its own files: one data folder, and a fixed place in it for each thing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HOME_VARIABLE = "PARALLEL_WORKERS_HOME"


class DataFolder(NamedTuple):
    """The data folder. Naming a place does not make it: whoever writes there makes it first."""

    root: Path

    @property
    def server(self) -> Path:
        """Database, address, settings and log of the embedded Prefect server."""
        return self.root / "server"

    @property
    def locks(self) -> Path:
        """Lock files shared by the processes of this machine."""
        return self.root / "locks"

    @property
    def reports(self) -> Path:
        """Reports of unexpected errors, one file each."""
        return self.root / "reports"

    def run(self, worker_id: str) -> Path:
        """What one worker leaves behind: its prompt and its agent's output."""
        return self.root / "runs" / worker_id


def data_folder(environment: Mapping[str, str] | None = None) -> DataFolder:
    """`$PARALLEL_WORKERS_HOME`, else `~/.parallel-workers`; absolute, so that a changed cwd does not move it."""
    environment = os.environ if environment is None else environment
    configured = environment.get(HOME_VARIABLE, "").strip()
    root = Path(configured).expanduser() if configured else Path.home() / ".parallel-workers"
    return DataFolder(root.absolute())
