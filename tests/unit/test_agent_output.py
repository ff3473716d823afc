"""Cutting output into lines, digesting it, throttling it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_workers.adapters.agents.output import (
    CUT_MARK,
    LineAssembler,
    LineThrottle,
    OutputDigest,
    find_verdict,
    readable,
)


def assemble(*pieces: bytes, limit: int = 100) -> list[bytes]:
    """The lines of an output that arrives in these pieces."""
    assembler = LineAssembler(limit)
    output = b"".join(assembler.feed(piece) for piece in pieces) + assembler.finish()
    assert output == b"" or output.endswith(b"\n")
    return output.split(b"\n")[:-1]


@given(st.binary(max_size=400).map(lambda raw: raw.replace(b"\r", b"")), st.lists(st.integers(1, 50), max_size=20))
def test_how_the_output_is_cut_into_pieces_makes_no_difference(output: bytes, sizes: list[int]) -> None:
    pieces, rest = [], output
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert (
        assemble(*pieces, rest, limit=1000)
        == (output if output.endswith(b"\n") else output + b"\n").split(b"\n")[: -1 if output else 0]
    )


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_no_line_is_longer_than_the_limit(pieces: list[bytes]) -> None:
    assert all(len(line) <= 50 + len(CUT_MARK) for line in assemble(*pieces, limit=50))


@pytest.mark.parametrize("pieces", [(b"x" * 250 + b"\nnext\n",), (b"x" * 90, b"x" * 90, b"x" * 70 + b"\nnext\n")])
def test_a_long_line_is_cut_with_a_mark(pieces: tuple[bytes, ...]) -> None:
    assert assemble(*pieces) == [b"x" * 100 + CUT_MARK, b"next"]


def test_a_line_without_end_takes_no_memory() -> None:
    assembler = LineAssembler(100)
    for _ in range(1000):
        assembler.feed(b"x" * 1000)
        assert len(assembler._tail) <= 100
    assert assembler.feed(b"\nnext\n") == b"next\n"


def test_of_a_progress_line_the_last_state_counts() -> None:
    assert assemble(b"10%\r20%\r", b"100%\ndone\r\n") == [b"100%", b"done"]


def test_a_progress_display_that_never_ends_its_line_takes_no_memory() -> None:
    assembler = LineAssembler(100)
    for number in range(10_000):
        assert assembler.feed(b"\r%d of many" % number) == b""
        assert len(assembler._tail) <= 120
    assert assembler.feed(b"\rdone\n") == b"done\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"caf\xc3\xa9\tx", "café\tx"),
        (b"\xff\xfe\x00", "\ufffd\ufffd\ufffd"),
        (b"\x1b[1;31mred\x1b[0m \x1b]0;title\x07end", "red end"),
        ("zero\u200bwidth 日本".encode(), "zero\u200bwidth 日本"),
    ],
)
def test_lines_are_made_readable(raw: bytes, text: str) -> None:
    assert readable(raw) == text


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"PARALLEL_WORKERS_RESULT: no-change-needed it is there\n", "it is there"),
        (b"a\n  PARALLEL_WORKERS_RESULT: no-change-needed: it is there \r\nb\n", "it is there"),
        (b"`PARALLEL_WORKERS_RESULT: no-change-needed it is there`\n", "it is there"),
        (b"PARALLEL_WORKERS_RESULT: no-change-needed\n", "no reason given"),
        (b"PARALLEL_WORKERS_RESULT: no-change-needed a\nPARALLEL_WORKERS_RESULT: no-change-needed b\n", "b"),
        (b"PARALLEL_WORKERS_RESULT: no-change-needed <reason>\n", None),
        (b"print a line `PARALLEL_WORKERS_RESULT: no-change-needed why`\n", None),
        (b"PARALLEL_WORKERS_RESULT: no-change-neededness\n", None),
        (b"PARALLEL_WORKERS_RESULT: done\n", None),
        (b"", None),
    ],
)
def test_the_verdict_stands_on_a_line_of_its_own(block: bytes, reason: str | None) -> None:
    assert find_verdict(block) == reason


def test_a_digest_counts_all_and_passes_on_no_flood() -> None:
    lines: list[str] = []
    digest = OutputDigest(lines.append, lines_per_second=10)
    digest.take(b"".join(b"%d\n" % number for number in range(25)), now=5.0)
    digest.take(b"PARALLEL_WORKERS_RESULT: no-change-needed fine\n", now=5.5)
    assert lines == [str(number) for number in range(10)]
    digest.take(b"a\n", now=6.0)
    assert lines[10:] == ["[parallel-workers] 16 lines of a flood of output are left out here", "a"]
    assert (digest.lines, digest.verdict) == (27, "fine")
    assert digest.last_lines[-3:] == ("24", "PARALLEL_WORKERS_RESULT: no-change-needed fine", "a")
    assert len(digest.last_lines) == 27


def test_a_digest_keeps_few_last_lines() -> None:
    digest = OutputDigest(list[str]().append)
    for number in range(100):
        digest.take(b"%d\n%da\n" % (number, number), now=0.0)
    assert len(digest.last_lines) == 40
    assert digest.last_lines[-2:] == ("99", "99a")


def test_a_throttle_passes_the_first_and_then_so_many_a_second() -> None:
    now, lines = [100.0], list[str]()
    throttle = LineThrottle(lines.append, Path("/l/agent.log"), first=3, per_second=2, clock=lambda: now[0])
    for number in range(10):
        throttle(str(number))
    assert lines == ["0", "1", "2", "3", "4"]
    now[0] = 101.0
    throttle("10")
    assert lines[5:] == ["[parallel-workers] 5 lines left out here; all output: /l/agent.log", "10"]
    throttle("11")
    throttle("12")
    throttle.close()
    assert lines[7:] == ["11", "[parallel-workers] 1 lines left out here; all output: /l/agent.log"]
    throttle.close()
    assert len(lines) == 9
