"""Makes untrusted text safe to show: an agent's output must not move the cursor or colour the table."""

from __future__ import annotations

import re
import unicodedata

# CSI (ESC [ … letter), OSC and the other string sequences up to BEL or ST, and two-character escapes;
# ECMA-48 (https://ecma-international.org/publications-and-standards/standards/ecma-48/), 5.4 and 5.6.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]?"
)
_LONGEST_LOOKED_AT = 4096


def one_line(text: str, limit: int | None = None) -> str:
    """`text` on one line without escape sequences and control characters, cut to `limit` characters.

    Of a line that was overwritten with carriage returns (a progress bar) the last writing is kept, as a
    terminal would show it. Format characters go too: a right-to-left override would turn a table around.
    """
    text = text.rstrip("\r\n")
    if limit is not None and len(text) > _LONGEST_LOOKED_AT:
        text = text.rpartition("\r")[2][:_LONGEST_LOOKED_AT]
    text = _ESCAPE.sub("", text)
    if not (text.isascii() and text.isprintable()):
        text = text.rpartition("\r")[2] if "\r" in text and "\n" not in text else text
        text = "".join(_shown(character) for character in text)
    text = " ".join(text.split())
    return text if limit is None or len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    return "" if category in {"Cf", "Cs", "Co", "Cn"} else character
