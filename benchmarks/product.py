"""Drives the product as a user does: its command line in a subprocess, with a home and a server of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil

from benchmarks.process_memory import read_peak_resident
from benchmarks.repositories import IDENTITY

_ROOT = Path(__file__).resolve().parent.parent
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ")


class BatchRun(NamedTuple):
    """What `run` cost. Seconds; bytes.

    `wall_seconds` is the whole command, `batch_seconds` what the engine says the batch took: from the first spawn
    to the last clean-up. CPU is that of the command with everything below it (git, agents), and of the server.
    """

    wall_seconds: float
    batch_seconds: float
    client_cpu_seconds: float
    server_cpu_seconds: float
    client_peak_bytes: int
    server_peak_bytes: int


class Product:
    """The command line with everything it writes below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home = folder / "home"
        home.mkdir(parents=True)
        self.environment = {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            **IDENTITY,
            "HOME": str(home),
            "PARALLEL_WORKERS_HOME": str(home / "data"),
            "PYTHONPATH": str(_ROOT),
            "NO_COLOR": "1",
        }

    def argv(self, *arguments: str) -> list[str]:
        """The command line, as the console script runs it."""
        return [sys.executable, "-m", "parallel_workers.cli.main", *arguments]

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command; its stderr goes to a file, for `fail`."""
        with self._errors.open("w", encoding="utf-8") as errors:
            return subprocess.Popen(
                self.argv(*arguments),
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def call(self, *arguments: str) -> str:
        """Run a command to its end; its stdout. Raises RuntimeError when it does not end 0."""
        process = self.begin(*arguments)
        said, _ = process.communicate()
        if process.returncode != 0:
            self.fail(f"{' '.join(arguments)} ended {process.returncode}", said)
        return said

    def run_batch(self, spec: Path) -> BatchRun:
        """Run a batch to its end. Raises RuntimeError unless every task is merged."""
        server = self.server_pid()
        server_cpu = _cpu_seconds(server)
        begun = time.perf_counter()
        process = self.begin("run", str(spec), "--json")
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall_seconds = time.perf_counter() - begun
        outcome = self.check_merged(process.returncode, said)
        server = self.server_pid()
        return BatchRun(
            wall_seconds=wall_seconds,
            batch_seconds=float(outcome["seconds"]),
            client_cpu_seconds=used.ru_utime + used.ru_stime,
            server_cpu_seconds=_cpu_seconds(server) - server_cpu,
            client_peak_bytes=used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            server_peak_bytes=read_peak_resident(server) if server else 0,
        )

    def check_merged(self, exit_code: int, said: str) -> dict[str, Any]:
        """The outcome that `run --json` printed. Raises RuntimeError unless every task is merged and it ended 0."""
        if not said.startswith("{"):
            self.fail(f"run ended {exit_code}", said)
        outcome: dict[str, Any] = json.loads(said)
        missed = [task for task in outcome["tasks"] if task["result"] != "merged"]
        if missed or exit_code != 0:
            lines = "\n".join(f"{task['task_id']} {task['result']}: {task['reason']}" for task in missed)
            raise RuntimeError(f"run ended {exit_code}, {len(missed)} of {len(outcome['tasks'])} not merged\n{lines}")
        return outcome

    def fail(self, what: str, said: str) -> None:
        """Raise RuntimeError with the end of what the last command said."""
        errors = self._errors.read_text(encoding="utf-8")
        raise RuntimeError(f"{what}\n{said[-3000:]}\n{errors[-3000:]}")

    @property
    def _errors(self) -> Path:
        return self.folder / "stderr.txt"

    def server_pid(self) -> int | None:
        """The process of the embedded server, when it is up."""
        try:
            record = json.loads((self.folder / "home/data/server/address").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return int(record["pid"])


def _cpu_seconds(pid: int | None) -> float:
    if pid is None:
        return 0.0
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@contextmanager
def fresh_product() -> Iterator[Product]:
    """The product with an empty home; its server is stopped and everything removed afterwards."""
    with TemporaryDirectory(prefix="parallel-workers-bench-") as folder:
        product = Product(Path(folder))
        try:
            yield product
        finally:
            if product.server_pid() is not None:
                product.call("down")
