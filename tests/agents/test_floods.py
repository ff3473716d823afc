"""However much an agent prints, memory and disk stay bounded and nothing hangs."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from parallel_workers.adapters.agents.command import CommandRunner
from parallel_workers.adapters.agents.run_log import RunLog
from tests.agents.conftest import AgentBench

_MEGABYTE = 1_000_000


def peak_rss() -> int:
    """Highest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(
    "producer",
    [
        "head -c 300000000 /dev/zero",
        "yes | head -c 300000000",
        "yes 'a line as compilers print it' | head -c 300000000",
    ],
)
def test_300_megabytes_take_no_memory(bench: AgentBench, producer: str) -> None:
    bench.runner = CommandRunner(log_limit_bytes=8 * _MEGABYTE)
    bench.shell("echo warm up")
    before = peak_rss()
    result = bench.shell(f"echo first; {producer}; echo; echo last")
    assert result.exit_code == 0
    assert peak_rss() - before < 20 * _MEGABYTE
    assert bench.log_file.stat().st_size <= 8 * _MEGABYTE
    assert len(bench.lines) < 5000 * (result.duration_seconds + 2)
    text = bench.log_file.read_bytes()
    assert b"the next round begins ----\nfirst\n" in text[:200]
    assert text.endswith(b"last\n")
    assert result.last_lines[-1] == "last"


def test_two_full_outputs_do_not_block_each_other(bench: AgentBench) -> None:
    result = bench.shell("yes out | head -n 200000 & yes err | head -n 200000 >&2; wait")
    assert (result.exit_code, result.output_lines) == (0, 400_000)


def test_a_log_within_its_limit_is_whole(tmp_path: Path) -> None:
    with RunLog(tmp_path / "logs" / "a.log", 1000) as log:
        for number in range(10):
            assert log.write(b"line %d\n" % number) == ""
    assert (tmp_path / "logs" / "a.log").read_text() == "".join(f"line {number}\n" for number in range(10))
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["a.log"]


def test_a_log_keeps_beginning_and_end_and_says_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with RunLog(path, 6000) as log:
        for number in range(2000):
            log.write(b"line %04d\n" % number)
            assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 6000
    lines = path.read_text().splitlines()
    assert path.stat().st_size <= 6000
    assert lines[:300] == [f"line {number:04}" for number in range(300)]
    assert lines[-100:] == [f"line {number:04}" for number in range(1900, 2000)]
    missing = [line for line in lines if "left out" in line]
    kept = len(lines) - 1
    assert missing == [f"[parallel-workers] {(2000 - kept) * 10:,} bytes of output left out here"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.log"]


def _write(path: Path, text: bytes) -> RunLog:
    log = RunLog(path, 6000)
    for start in range(0, len(text), 400):
        log.write(text[start : start + 400])
        assert sum(file.stat().st_size for file in path.parent.iterdir()) <= 6000
    return log


def test_a_new_round_is_added_after_a_line_that_tells_when(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for text in (b"first\n", b"second\n", b"third\n"):
        _write(path, text).close()
    first, separator, second, _, third = path.read_text().splitlines()
    assert (first, second, third) == ("first", "second", "third")
    assert re.fullmatch(
        r"\[parallel-workers\] ---- \d{4}-\d\d-\d\dT[\d:]+\+00:00 the next round begins ----", separator
    )


def test_many_full_rounds_stay_within_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for number in range(5):
        _write(path, b"round %d\n" % number * 3000).close()
        assert path.stat().st_size <= 6000
    lines = path.read_text().splitlines()
    assert "the beginning" in lines[0]
    assert lines[1] == "round 3"
    assert lines[-1] == "round 4"
    assert sum("next round begins" in line for line in lines) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["a.log"]


def test_the_end_of_a_round_that_was_killed_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    killed = _write(path, b"old\n" * 2000 + b"its last line\n")
    _write(path, b"new\n").close()
    del killed
    lines = path.read_text().splitlines()
    assert lines[-3] == "its last line"
    assert "next round begins" in lines[-2]
    assert lines[-1] == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["a.log"]


def test_a_full_disk_does_not_end_the_agent(bench: AgentBench) -> None:
    """A limit on the size of files stands for the disk; in a process of its own, because it cannot be lifted."""
    program = """
import resource, signal, sys
from pathlib import Path
from parallel_workers.adapters.agents.run_log import RunLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with RunLog(Path(sys.argv[1]), 1_000_000) as log:
    print([log.write(b"x" * 99 + b"\\n") for _ in range(13)])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(bench.folder / "a.log")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str([""] * 10 + ["File too large", "", ""])
