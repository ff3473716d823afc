"""`make demo` without the installing: everything is merged once, also when it is killed half-way and run again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.product import Product, wait_until

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
TASKS = [f"DEMO-{number}" for number in range(1, 9)]
_DEMO_SECONDS = 300.0


@pytest.fixture
def own_product(tmp_path: Path) -> Iterator[Product]:
    """A home and a server of the demo's own; afterwards no process of either may be left."""
    product = Product(tmp_path)
    try:
        yield product
    finally:
        product.call("down")
    wait_until(lambda: not product.processes(), "every process has ended")


def begin_demo(product: Product, *arguments: str) -> subprocess.Popen[str]:
    """The demo with the whole of its output in one stream, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, str(DEMO / "run.py"), *arguments],
        env=product.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_half_way(product: Product) -> None:
    """Start the demo, and kill the demo and the engine, but not the server, when something is merged."""
    demo = begin_demo(product)
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line)
        if re.search(r" DEMO-\d merged ", line):
            break
    assert demo.poll() is None, "".join(said)
    os.killpg(demo.pid, signal.SIGKILL)
    demo.communicate()


def end_demo(demo: subprocess.Popen[str]) -> tuple[int, str]:
    """The demo's exit code and output."""
    output, _ = demo.communicate(timeout=_DEMO_SECONDS)
    return demo.returncode, output


@pytest.mark.timeout(2 * _DEMO_SECONDS)
def test_killed_half_way_it_goes_on_and_then_finds_all_done(own_product: Product, git: Git) -> None:
    repository = own_product.home / "data" / "demo" / "postage"
    kill_half_way(own_product)
    merged_before = git(repository, "log", "--merges", "--format=%H", "main").splitlines()
    assert 1 <= len(merged_before) < len(TASKS)

    code, output = end_demo(begin_demo(own_product))

    assert code == 0, output
    assert output.startswith("Found the demo's repository")
    subjects = git(repository, "log", "--merges", "--format=%s", "main").splitlines()
    assert sorted(re.findall(r"DEMO-\d", " ".join(subjects))) == TASKS
    assert set(merged_before) <= set(git(repository, "log", "--format=%H", "main").splitlines())
    assert "no feature/* branch and no worktree is left" in output
    assert not git(repository, "for-each-ref", "refs/heads/feature/")
    assert len(git(repository, "worktree", "list").splitlines()) == 1
    assert not git(repository, "status", "--porcelain")
    assert len(own_product.call("list", "--state", "MERGED", "--json").data) == len(TASKS)
    check_work(repository, git)

    head = git(repository, "rev-parse", "main")
    code, output = end_demo(begin_demo(own_product))

    assert code == 0, output
    assert output.count("merged before") == len(TASKS)
    assert "all were done already" in output
    assert git(repository, "rev-parse", "main") == head


def check_work(repository: Path, git: Git) -> None:
    """Every agent's work is there, and each dependant built on what it depends on."""
    sources = {file.name: file.read_text() for file in (repository / "postage").glob("*.py")}
    assert not any("calc_price" in source or "\t" in source for source in sources.values())
    assert all(source.startswith("# SPDX-License-Identifier: Apache-2.0\n") for source in sources.values())
    tests = {file.name for file in (repository / "tests").glob("test_*.py")}
    written = {f"test_{name}" for name in sources if not name.startswith("_")}
    assert tests == written | {"test_command.py", "test_layers.py"}
    assert "quote" in (repository / "tests" / "test_rates.py").read_text()
    marked = git(repository, "grep", "--files-with-matches", "^# SPDX-License", "--", "tests").splitlines()
    assert {f"tests/{name}" for name in tests} <= set(marked)
    assert json.loads((repository / "layers.json").read_text())["layers"]["rates"] == 1
    assert "calc_price" not in (repository / "docs" / "reference.md").read_text()
    done = subprocess.run(
        [sys.executable, "-B", "-m", "unittest", "-q"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_not_the_demos_is_left_alone(own_product: Product, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "work.txt").write_text("mine")

    code, output = end_demo(begin_demo(own_product, "--folder", str(folder)))

    assert code == 2
    assert f"{folder} exists and is not the demo's repository" in output
    assert [file.name for file in folder.iterdir()] == ["work.txt"]
    assert not (own_product.home / "data").exists()
