"""File names and words that are no UTF-8: the work is handed in and merged, and what failed says why."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.e2e.prefect_view import read_run
from tests.e2e.product import Product, write_batch

NAME = r"""name="$(printf 'caf\351')"; """
TASKS = (
    {"id": "file", "shell": NAME + 'echo work > "$name.txt"'},
    {"id": "subject", "shell": NAME + 'git commit --quiet --allow-empty -m "$name"; echo work > subject.txt'},
    {"id": "said", "shell": NAME + 'echo "$name"; exit 3'},
    {
        "id": "gated",
        "shell": "echo work > gated.txt",
        "gates": [{"name": "strange", "run": NAME + 'echo "$name is not good"; exit 1'}],
    },
)


def test_all_is_told_and_nothing_is_lost(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    repository = make_repository()
    done = product.run(write_batch(tmp_path / "strange.yml", repository, TASKS))

    assert done.stdout, done.stderr
    assert done.results() == {"file": "merged", "subject": "merged", "said": "failed", "gated": "failed"}, done.stderr
    listed = subprocess.run(["git", "ls-tree", "-z", "main"], cwd=repository, capture_output=True, check=True)
    assert b"caf\xe9.txt" in listed.stdout
    for task, said in (("said", "caf\ufffd"), ("gated", "caf\ufffd is not good")):
        assert said in done.reasons()[task]
    for task in done.data["tasks"]:
        assert read_run(product, task["flow_run_id"]).state is not None
    pages = [product.call("pr", "show", str(number), "--repository", str(repository)).stdout for number in (1, 2)]
    assert any(f"caf{os.fsdecode(bytes((0xEF, 0xBF, 0xBD)))}.txt" in page for page in pages), pages
