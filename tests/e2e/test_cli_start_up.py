"""`--help` answers at once, because nothing heavy is imported for it."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.e2e.product import Product

HEAVY = ("prefect", "pydantic", "rich", "git", "psutil", "loguru", "yaml", "filelock", "asyncio")


def test_the_command_line_imports_nothing_heavy(product: Product) -> None:
    code = f"import sys, parallel_workers.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    asked = subprocess.run(
        [sys.executable, "-c", code], env=product.environment, capture_output=True, text=True, check=True
    )
    assert asked.stdout.strip() == "[]"


def test_help_takes_at_most_150_ms_of_processor_time(product: Product) -> None:
    command = [sys.executable, "-m", "parallel_workers.cli.main", "--help"]
    seconds = []
    for _ in range(5):
        with subprocess.Popen(command, env=product.environment, stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        seconds.append(usage.ru_utime + usage.ru_stime)
    # The least of them: what other processes on the machine cost is not ours.
    assert min(seconds) <= 0.15


def test_version(product: Product) -> None:
    ended = product.call("--version")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout.startswith("parallel-workers, version ")


def test_without_arguments_it_shows_its_verbs_and_ends_2(product: Product) -> None:
    ended = product.call()
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "Carry out a batch file" in ended.stderr


def test_completion_script_is_valid_and_completes_verbs(product: Product) -> None:
    script = product.call("completion", "bash")
    assert script.exit_code == 0
    subprocess.run(["bash", "-n"], input=script.stdout, text=True, check=True)
    completed = product.call(
        _PARALLEL_WORKERS_COMPLETE="bash_complete", COMP_WORDS="parallel-workers worktree pr", COMP_CWORD="2"
    )
    assert completed.stdout.split() == ["plain,prune"]
    assert all(product.call("completion", shell).stdout for shell in ("zsh", "fish"))
