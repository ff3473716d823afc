"""Text in SVG: measured on the safe side, cut to the room there is, escaped. SVG cannot wrap or cut text itself."""

from __future__ import annotations

import re
import unicodedata
from xml.sax.saxutils import escape

_NARROW = frozenset("iljft.,:;|!'()[] I-·")
_BROAD = frozenset("mwMW@%&—…")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text_width(text: str, size: float) -> float:
    """At most so many pixels wide is `text` in a sans-serif font of `size` pixels."""
    return sum(_width(character) for character in text) * size


def _width(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in {"W", "F"}:
        return 1.1
    if character in _NARROW:
        return 0.38
    if character in _BROAD:
        return 1.0
    if not character.isascii():
        return 0.8
    return 0.74 if character.isupper() else 0.6


def fitted(text: str, room: float, size: float) -> str:
    """`text` on one line, cut with an ellipsis where it would be wider than `room` pixels."""
    line = " ".join(_NOT_IN_XML.sub(" ", text).split())
    if text_width(line, size) <= room:
        return line
    while line and text_width(line + "…", size) > room:
        line = line[:-1]
    return line.rstrip() + "…"


def label(x: float, y: float, text: str, style: str = "", anchor: str = "") -> str:
    """A text element at its base line; `style` holds class names, `anchor` is `end` or `middle`."""
    kind = f' class="{style}"' if style else ""
    at = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}{at}>{escape(text)}</text>'
