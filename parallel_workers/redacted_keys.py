"""Takes private keys in PEM form out of text, also those whose beginning or end was cut off."""

from __future__ import annotations

import re

_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----")
_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----")
# What may follow a beginning whose end was cut off; in JSON and in logs line ends are `\n`.
_BODY = re.compile(r"(?:[A-Za-z0-9+/=:,-]|\\[nr]|[ \t\r\n])*")
_BODY_LINE = re.compile(r"[A-Za-z0-9+/=]{40,}$")
_LAST_LINE = re.compile(r"(?:^|\s)[A-Za-z0-9+/=]+$")


def redact_private_keys(text: str, replacement: str) -> str:
    """`text` with each key as `replacement`. A log's lines may each begin with something else, such as a time."""
    if "PRIVATE KEY" not in text:
        return text
    kept: list[str] = []
    position = 0
    while True:
        begin, end = _BEGIN.search(text, position), _END.search(text, position)
        if end is not None and (begin is None or end.start() < begin.start()):
            kept += [_without_cut_key(text[position : end.start()]), replacement]
            position = end.end()
        elif begin is not None:
            kept += [text[position : begin.start()], replacement]
            position = _find_end(text, begin.end(), end)
        else:
            return "".join((*kept, text[position:]))


def _find_end(text: str, begun: int, end: re.Match[str] | None) -> int:
    if end is not None:
        return end.end()
    body = _BODY.match(text, begun)
    return body.end() if body is not None else begun


def _without_cut_key(text: str) -> str:
    """The text before the end of a key that has no beginning: without the lines of the key."""
    lines = text.splitlines(keepends=True)
    # What stands before the end on its own line, such as a time, stays.
    keep = len(lines) if text.endswith(("\n", "\r")) or not lines else len(lines) - 1
    before = lines[keep:]
    if keep and _LAST_LINE.search(lines[keep - 1].rstrip()):
        keep -= 1
    while keep and _BODY_LINE.search(lines[keep - 1].rstrip()):
        keep -= 1
    return "".join((*lines[:keep], *before))
