"""The commands of a page of the documentation, run as they are written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.e2e.product import Ended, Product

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WORKER = "worker-1a2b3c4d"
"""How the pages name a worker."""
_SECONDS = 150


def blocks_by_heading(page: str) -> dict[str, list[str]]:
    """The commands under each heading of a page, in order."""
    found = {}
    for part in re.split(r"^#+ ", (_DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        lines = "".join(_BLOCK.findall(part)).splitlines()
        found[part.partition("\n")[0]] = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return found


class Reader(NamedTuple):
    """Somebody who reads the pages, sits in a folder, and has the command on their path."""

    product: Product
    folder: Path

    def types(self, command: str, worker: str = "") -> Ended:
        """Type one command into a shell; `worker` stands for the one that the page names."""
        programs = self.product.home / "bin"
        script = programs / "parallel-workers"
        if not script.exists():
            programs.mkdir()
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m parallel_workers.cli.main "$@"\n')
            script.chmod(0o755)
        path = f"{programs}:{self.product.environment['PATH']}"
        done = subprocess.run(
            ["bash", "-c", command.replace(WORKER, worker or WORKER)],
            env=self.product.environment | {"PATH": path},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def types_all(self, commands: list[str], worker: str = "") -> list[Ended]:
        """Type the commands one after the other."""
        assert commands, "there is something to try"
        return [self.types(command, worker) for command in commands]
