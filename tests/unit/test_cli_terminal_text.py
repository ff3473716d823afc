"""Untrusted text must come out as one harmless line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_workers.cli.terminal_text import one_line


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;window title\x07text", "text"),
        ("\x1b]8;;https://example.invalid\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1b(Bcharset", "charset"),
        (" 10%\r 50%\r100%", "100%"),
        ("progress\r\n", "progress"),
        ("two\nlines\there", "two lines here"),
        ("\u202eturned", "turned"),
        ("bell\x07\x08\x08", "bell"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("wörld 世界", "wörld 世界"),
        ("\udcff", ""),
        ("\x1b[31", "31"),
    ],
)
def test_shows_only_what_is_meant_to_be_read(raw: str, shown: str) -> None:
    assert one_line(raw) == shown


def test_cuts_to_the_limit_with_an_ellipsis() -> None:
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"


def test_a_huge_line_costs_little() -> None:
    assert one_line("x" * 50_000_000, 10) == "x" * 9 + "…"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_is_always_one_printable_line_within_the_limit(raw: str, limit: int) -> None:
    shown = one_line(raw, limit)
    assert len(shown) <= limit
    assert not [character for character in shown if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
