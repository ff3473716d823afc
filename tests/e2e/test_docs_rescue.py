"""docs/rescue.md, run as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.e2e.product import Product

PAGE = Path(__file__).parents[2] / "docs/rescue.md"


def written_commands() -> list[str]:
    """Every line of the page that a reader is to type, but for the drop: that one comes last."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return sorted(lines, key=lambda line: "rescue drop" in line)


def test_the_page_as_written(make_repository: Callable[..., Path], product: Product, tmp_path: Path) -> None:
    home, programs = tmp_path / "home", tmp_path / "bin"
    home.mkdir()
    programs.mkdir()
    command = programs / "parallel-workers"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m parallel_workers.cli.main "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    own = {"HOME": str(home), "PARALLEL_WORKERS_HOME": str(home / "data")}
    path = f"{programs}:{product.environment['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", "\n".join(written_commands())],
        cwd=make_repository(),
        env={**product.environment, **own, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert "?? notes.txt" in said
    assert said.count("half done") == 2, "by branch, and by plain git"
    assert "Dropped 1." in done.stderr
    assert (home / "back/notes.txt").read_text(encoding="utf-8") == "half done\n"
