"""Text from outside, put into Markdown so that it is read as text: nothing in it can become markup or HTML."""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import quote

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&])")
# A heading's # only where a blank follows: Prefect's former UI shows the backslash of `\#3`.
_OPENS_A_BLOCK = re.compile(r"^(?:[-+=:]|#(?=#{0,5}(?:\s|$))|\d+[.)])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_URL_SAFE = "/:?#@!$&'*+,;=%~-._"


def escaped(text: str) -> str:
    """One line of `text` for a paragraph, heading, list item or table cell."""
    line = _SPECIAL.sub(r"\\\1", one_line(text))
    opening = _OPENS_A_BLOCK.match(line)
    return line if opening is None else f"{line[: opening.end() - 1]}\\{line[opening.end() - 1 :]}"


def quoted(text: str) -> str:
    """Several lines of `text` as a block quote; line ends are kept."""
    lines = _CONTROL.sub("", text.expandtabs(4)).strip().splitlines()
    shown = [escaped(line) for line in lines]
    breaks = ["\\" if line and after else "" for line, after in pairwise([*shown, ""])]
    return "\n".join(f"> {line}{end}".rstrip() for line, end in zip(shown, breaks, strict=True))


def fenced(text: str, language: str = "") -> str:
    """`text` as a code block, whose fence is longer than any in the text."""
    body = _CONTROL.sub("", text.replace("\r\n", "\n")).strip("\n")
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def code(text: str) -> str:
    """One line of `text` as a code span, fit for a table cell."""
    line = one_line(text).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}" if line else ""


def link(text: str, url: str) -> str:
    """`text` leading to `url`; where that is nothing for a browser (a path, `javascript:`), both as plain text."""
    if not re.match(r"https?://", url):
        return f"{escaped(text)} ({code(url)})" if url else escaped(text)
    return f"[{escaped(text)}]({quote(url, safe=_URL_SAFE)})"


def one_line(text: str) -> str:
    """`text` with every run of white space, line ends included, as one blank."""
    return " ".join(_CONTROL.sub(" ", text).split())
