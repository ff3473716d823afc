"""Where the product keeps its own files: one data folder, and a fixed place in it for each thing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

HOME_VARIABLE = "PARALLEL_WORKERS_HOME"
PAGES_VARIABLE = "PARALLEL_WORKERS_PAGES_URL"
"""Where a web server shows the data folder's `pulls`: set by commands that use the embedded server."""


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
    def clones(self) -> Path:
        """Clones of repositories that batches name by URL."""
        return self.root / "clones"

    @property
    def reports(self) -> Path:
        """Reports of unexpected errors, one file each."""
        return self.root / "reports"

    @property
    def pulls(self) -> Path:
        """Pages of the local forge's pull requests, a folder per repository."""
        return self.root / "pulls"

    def page_url(self, page: Path) -> str:
        """A URL a browser opens for a page below `pulls`.

        `http` while the embedded server shows the folder, because a page of its UI may not link to a `file` URL.
        """
        server = os.environ.get(PAGES_VARIABLE, "").rstrip("/")
        return f"{server}/{quote(str(page.relative_to(self.pulls)))}" if server else page.as_uri()

    def run(self, worker_id: str) -> Path:
        """What one worker leaves behind: its prompt and its agent's output."""
        return self.root / "runs" / worker_id


def data_folder(environment: Mapping[str, str] | None = None) -> DataFolder:
    """`$PARALLEL_WORKERS_HOME`, else `~/.parallel-workers`; absolute, so that a changed cwd does not move it."""
    environment = os.environ if environment is None else environment
    configured = environment.get(HOME_VARIABLE, "").strip()
    root = Path(configured).expanduser() if configured else Path.home() / ".parallel-workers"
    return DataFolder(root.absolute())
