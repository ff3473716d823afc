"""The systemd units: systemd accepts them, and what they start is what `up` finds."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.product import Product, wait_until

_UNITS = sorted((Path(__file__).resolve().parents[2] / "deployments" / "systemd").glob("*.service"))
_PYTHON = "%h/.parallel-workers/venv/bin/python"


def read_unit(file: Path) -> configparser.SectionProxy:
    """The [Service] section; keys keep their case."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(file, encoding="utf-8")
    return parser["Service"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    python = tmp_path / ".parallel-workers" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    verified = subprocess.run(
        ["systemd-analyze", "--user", "verify", *map(str, _UNITS)],
        env=os.environ | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[tuple[Product, dict[str, subprocess.Popen[bytes]]]]:
    """A product whose processes were started by the units' commands, as systemd would: all at once."""
    product = Product(tmp_path)
    started = {}
    try:
        for file in _UNITS:
            program, *arguments = read_unit(file)["ExecStart"].split()
            assert program == _PYTHON
            started[file.stem] = subprocess.Popen(
                [sys.executable, *arguments],
                env=product.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=(tmp_path / f"{file.stem}.err").open("wb"),
            )
            # Reaped as it ends, as systemd does.
            threading.Thread(target=started[file.stem].wait, daemon=True).start()
        yield product, started
    finally:
        product.call("down", "--force")
        for process in started.values():
            process.kill()
            process.wait()


def speaks(log: Path) -> bool:
    """Whether something is in the log."""
    return log.is_file() and log.stat().st_size > 0


def test_up_finds_what_the_units_have_started(
    supervised: tuple[Product, dict[str, subprocess.Popen[bytes]]],
) -> None:
    product, started = supervised
    standing = product.home / "data" / "processes"
    for name in ("prefect-worker", "watcher"):
        wait_until(partial(speaks, standing / f"{name}.log"), f"{name} speaks")
    told = product.call("up", "--json").data
    found = {"server": told["pid"], "worker": told["prefect_worker"]["pid"], "watcher": told["watcher"]["pid"]}
    assert found == {unit.removeprefix("parallel-workers-"): process.pid for unit, process in started.items()}
    assert set(told["registered"]["deployments"].values()) == {"unchanged"}  # registered by the unit already


def test_an_unknown_process_is_named(tmp_path: Path) -> None:
    wrong = subprocess.run(
        [sys.executable, "-m", "deployments.foreground", "wachter"],
        env=Product(tmp_path).environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 2
    assert "server|prefect-worker|watcher" in wrong.stderr
