"""Agent `formatter`: one layout for every module of a package, proven to change nothing but the layout.

    python3 tools/format_layout.py postage

Four spaces per level, one statement per line, spaces around operators, double quotes, blank lines around
definitions. It does not wrap long lines. After each module it checks that the syntax tree is the same and that
the result does not depend on how the code was spaced before: it mangles the layout many times over and formats again.
"""

from __future__ import annotations

import ast
import io
import keyword
import random
import sys
import tokenize
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path
from typing import NamedTuple

from mangling import mangle

ROUNDS = 25
_COMPOUND = {"if", "elif", "else", "for", "while", "try", "except", "finally", "with", "def", "class", "async"}
_SKIPPED = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.ENCODING}
_OPENING, _CLOSING = set("([{"), set(")]}")


class Line(NamedTuple):
    """One statement (or comment): how deep it stands, its text, and the blank lines it had above."""

    level: int
    text: str
    blank_above: int


def format_source(source: str) -> str:
    """`source` in the one layout. Raises ValueError for a comment inside brackets, which it would have to move."""
    lines = list(_statements(source))
    out: list[str] = []
    for index, line in enumerate(lines):
        above = lines[index - 1] if index else None
        out += [""] * _blank_lines(above, line)
        out += [("    " * line.level + part) if part else "" for part in line.text.split("\n")]
    return "\n".join(out) + "\n"


def _statements(source: str) -> Iterator[Line]:
    level, blank, comments = 0, 0, list[str]()
    tokens: list[tokenize.TokenInfo] = []
    for token in _tokens(source):
        if token.type == tokenize.INDENT:
            level += 1
        elif token.type == tokenize.DEDENT:
            level -= 1
        elif token.type == tokenize.NL and not tokens:
            blank += not comments or token.line.strip() == ""
        elif token.type == tokenize.COMMENT and not tokens:
            comments.append(_comment(token.string))
        elif token.type == tokenize.NEWLINE:
            for comment in comments:
                yield Line(level, comment, blank)
            yield from _split(level, tokens, 0 if comments else blank)
            tokens, comments, blank = [], [], 0
        elif token.type not in _SKIPPED:
            tokens.append(token)
    for comment in comments:
        yield Line(level, comment, blank)


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    """Python's tokens, but every f-string as one STRING, as Python had it before 3.12."""
    begin: tuple[int, int] | None = None
    depth, rows = 0, source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":
            begin, depth = begin or token.start, depth + 1
        elif kind == "FSTRING_END":
            depth -= 1
            if not depth and begin is not None:
                yield tokenize.TokenInfo(tokenize.STRING, _cut(rows, begin, token.end), begin, token.end, token.line)
                begin = None
        elif not depth:
            yield token


def _cut(rows: list[str], begin: tuple[int, int], end: tuple[int, int]) -> str:
    chosen = rows[begin[0] - 1 : end[0]]
    chosen[-1] = chosen[-1][: end[1]]
    return "".join(chosen)[begin[1] :]


def _split(level: int, tokens: list[tokenize.TokenInfo], blank: int) -> Iterator[Line]:
    """One line per statement: `if a: b` becomes two, `a; b` too."""
    depth, in_lambda, part = 0, 0, list[tokenize.TokenInfo]()
    for index, token in enumerate(tokens):
        depth += (token.string in _OPENING) - (token.string in _CLOSING)
        in_lambda += token.string == "lambda"
        if token.string == ";" and not depth:
            yield Line(level, _text(part), blank)
            part, blank = [], 0
            continue
        part.append(token)
        if token.string == ":" and in_lambda:
            in_lambda -= 1
        elif token.string == ":" and not depth and part[0].string in _COMPOUND:
            rest = tokens[index + 1 :]
            if rest and rest[0].type != tokenize.COMMENT:
                yield Line(level, _text(part), blank)
                yield from _split(level + 1, rest, 0)
                return
    if part:
        yield Line(level, _text(part), blank)


def _text(tokens: list[tokenize.TokenInfo]) -> str:
    if len(tokens) == 1 and tokens[0].type == tokenize.STRING:
        return _docstring(tokens[0].string)
    text, brackets = "", list[str]()
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == tokenize.COMMENT:
            if brackets:
                raise ValueError(f"line {token.start[0]}: a comment inside brackets")
            text += "  " + _comment(token.string)
            continue
        if before is not None and _spaced(before, token, brackets, tokens):
            text += " "
        text += _quoted(token.string) if token.type == tokenize.STRING else token.string
        if token.string in _OPENING:
            brackets.append(token.string)
        elif token.string in _CLOSING:
            brackets.pop()
    return text


def _spaced(
    before: tokenize.TokenInfo, token: tokenize.TokenInfo, brackets: list[str], line: list[tokenize.TokenInfo]
) -> bool:
    left, right, inner = before.string, token.string, brackets[-1] if brackets else ""
    if right in _CLOSING | {",", ".", ":"} or left in _OPENING | {"."}:
        return False
    if left in {",", ":"}:
        return left == "," or inner != "["
    belongs = right in {"(", "["} and _ends_operand(before)
    names_argument = inner == "(" and "=" in {left, right}
    return not (belongs or names_argument or _is_unary(before, line))


def _ends_operand(token: tokenize.TokenInfo) -> bool:
    if token.type == tokenize.NAME:
        return not keyword.iskeyword(token.string) or token.string in {"None", "True", "False"}
    return token.type in {tokenize.NUMBER, tokenize.STRING} or token.string in _CLOSING


def _is_unary(token: tokenize.TokenInfo, line: list[tokenize.TokenInfo]) -> bool:
    """Whether `token` is a sign, a star or a decorator's @ that belongs to what follows it."""
    if token.string not in {"-", "+", "~", "*", "**", "@"}:
        return False
    index = line.index(token)
    return index == 0 or not _ends_operand(line[index - 1])


def _comment(text: str) -> str:
    text = text.rstrip()
    return text if text.startswith(("#!", "# ")) or text == "#" else "# " + text[1:].lstrip()


def _quoted(text: str) -> str:
    prefix = text[: len(text) - len(text.lstrip("rRbBuUfF"))]
    body = text[len(prefix) :]
    if body.startswith(('"', "'''")) or '"' in body or "\\" in body:
        return text
    return f'{prefix}"{body[1:-1]}"'


def _docstring(text: str) -> str:
    """A docstring in three double quotes, indented with its definition."""
    if text[0] not in "\"'" or '"""' in text[3:-3] or "\\" in text:
        return text
    said = cleandoc(ast.literal_eval(text))
    return f'"""{said}\n"""' if "\n" in said else f'"""{said}"""'


def _blank_lines(above: Line | None, line: Line) -> int:
    if above is None:
        return 0
    opens = line.text.startswith(("def ", "class ", "async def ", "@"))
    if opens and not above.text.startswith(("@", "#")) and above.level >= line.level:
        return 2 if line.level == 0 else 1
    if line.level == 0 and above.level > 0:
        return 2
    if above.text.startswith('"""') and above.level == line.level == 0:
        return 1
    if _is_import(above) and not _is_import(line) and line.level == 0:
        return 1
    return min(line.blank_above, 1)


def _is_import(line: Line) -> bool:
    return line.text.startswith(("import ", "from "))


def meaning(source: str) -> str:
    """The syntax tree as text; docstrings without their indentation, which is layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            node.value.value = cleandoc(node.value.value)
    return ast.dump(tree)


def prove(source: str, formatted: str, seed: str) -> None:
    """Raise AssertionError unless the layout is all that changed and any other layout ends the same."""
    assert meaning(source) == meaning(formatted), "the syntax tree changed"
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    for _ in range(ROUNDS):
        mangled = mangle(formatted, chance)
        assert meaning(mangled) == meaning(formatted), "the mangled text means something else"
        assert format_source(mangled) == formatted, "the result depends on the layout before"


def main(package: str) -> None:
    changed = 0
    for module in sorted(Path(package).glob("*.py")):
        source = module.read_text(encoding="utf-8")
        formatted = format_source(source)
        prove(source, formatted, module.name)
        module.write_text(formatted, encoding="utf-8")
        changed += formatted != source
        print(f"{module}: same syntax tree, same result from {ROUNDS} other layouts", flush=True)
    print(f"{changed} modules formatted")


if __name__ == "__main__":
    main(sys.argv[1])
