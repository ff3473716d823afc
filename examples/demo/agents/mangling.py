"""Spoils the layout of Python source in ways that do not change what it means."""

from __future__ import annotations

import io
import random
import tokenize

_INDENTS = (" ", "  ", "   ", "    ", "        ", "\t")
_WORDS = {tokenize.NAME, tokenize.NUMBER, tokenize.STRING}


def mangle(source: str, chance: random.Random) -> str:
    """`source` with another indentation, other spaces between tokens, and spaces at the ends of lines."""
    indent, level, out, row_begins = chance.choice(_INDENTS), 0, [], True
    before: tokenize.TokenInfo | None = None
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.INDENT:
            level += 1
        elif token.type == tokenize.DEDENT:
            level -= 1
        elif token.type in {tokenize.NEWLINE, tokenize.NL}:
            out.append(" " * chance.randrange(3) + "\n")
            row_begins, before = True, None
        elif token.type != tokenize.ENDMARKER:
            out.append(indent * level if row_begins else _gap(before, token, chance))
            out.append(token.string)
            row_begins, before = False, token
    return "".join(out)


def _gap(before: tokenize.TokenInfo | None, token: tokenize.TokenInfo, chance: random.Random) -> str:
    """What stands between two tokens of a line: any number of spaces, as far as they stay two tokens."""
    if before is None:
        return ""
    there = token.start[1] - before.end[1] if token.start[0] == before.end[0] else 1
    if tokenize.tok_name[token.type].startswith("FSTRING") or tokenize.tok_name[before.type].startswith("FSTRING"):
        return " " * there
    one_word = (before.type in _WORDS) != (token.type in _WORDS)
    if one_word and tokenize.NUMBER not in {before.type, token.type}:
        return " " * chance.randrange(4)
    return " " * max(there, chance.randrange(3) if there else 0)
