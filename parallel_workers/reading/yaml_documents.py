"""Reads a YAML file somebody wrote by hand: safely, within limits, and with the line of every value kept."""

from __future__ import annotations

import codecs
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import yaml

from parallel_workers.errors import InvalidSpecError, Problem
from parallel_workers.reading import yaml_nodes
from parallel_workers.reading.yaml_composer import Composer

MAX_BYTES = 1024 * 1024

# libyaml is about ten times as fast as the pure Python scanner; both give the same events.
_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_FOREIGN_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# What YAML allows, less the C1 controls, which no editor shows and a terminal may obey.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# What the scanner says -> what is meant, and the usual way out.
_SYNTAX = (
    ("mapping values are not allowed", "a ':' where no key can be", "put text that contains ': ' in quotes"),
    ("expected ',' or ']'", "a list that began with '[' is not closed", "close it with ']'"),
    ("expected ',' or '}'", "a mapping that began with '{' is not closed", "close it with '}'"),
    ("unexpected end of stream", "a quote is not closed", "close it, or put a backslash before a quote in text"),
    ("could not find expected ':'", "a key without ':'", "write 'key: value'; check the indentation"),
    ("expected key", "the indentation does not match what is above", "align keys of one mapping"),
    ("expected <block end>", "the indentation does not match what is above", "align keys of one mapping"),
    ("expected '-' indicator", "the indentation does not match what is above", "align the '-' of one list"),
    ("cannot start any token", "a character that cannot begin a value", "put the text in quotes"),
    ("unknown escape character", "an unknown escape in a double-quoted text", "use single quotes, or double the '\\'"),
    ("invalid Unicode character escape", "an escape that stands for no character", "write the character itself"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document: its tree, and what is wrong in it that did not stop the reading (two equal keys, tags)."""

    file: str
    root: yaml_nodes.Node
    problems: tuple[Problem, ...] = ()

    @property
    def data(self) -> yaml_nodes.Plain:
        """The document without its lines."""
        return yaml_nodes.to_plain(self.root)

    def line_of(self, path: yaml_nodes.Path) -> int:
        """The 1-based line of the key or item at `path`; of the nearest thing around it when it is not there."""
        return yaml_nodes.find_node(self.root, path)[0]


def load_document(path: Path) -> Document:
    """Read the file at `path`; anything larger than 1 MiB is refused without being read.

    Raises:
        InvalidSpecError: it cannot be read, is empty, is not UTF-8, or is no single YAML document.
    """
    document = parse_document(read_text(path), os.fspath(path))
    if document is None:
        raise _invalid(os.fspath(path), 1, "the file is empty", "begin with 'project:' and 'tasks:'")
    return document


def read_text(path: Path) -> str:
    """The text of a file of at most 1 MiB, a leading byte order mark removed.

    Raises:
        InvalidSpecError: it is missing, unreadable, no file, too large, or not UTF-8.
    """
    file = os.fspath(path)
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            size = status.st_size if stat.S_ISREG(status.st_mode) else 0
            content = stream.read(MAX_BYTES + 1) if size <= MAX_BYTES else b""
    except FileNotFoundError:
        raise _invalid(file, 1, "there is no such file") from None
    except IsADirectoryError:
        raise _invalid(file, 1, "this is a folder, not a file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _invalid(file, 1, f"cannot be read: {reason}") from error
    if max(size, len(content)) > MAX_BYTES:
        found = f": {size / MAX_BYTES:.1f} MiB" if size else ""
        raise _invalid(file, 1, f"the file is larger than 1 MiB{found}", "split the batch into several files")
    return _decode(content, file)


def _decode(content: bytes, file: str) -> str:
    for mark, encoding in _FOREIGN_MARKS:
        if content.startswith(mark):
            fix = f"save it as UTF-8: iconv -f {encoding} -t UTF-8"
            raise _invalid(file, 1, f"the file is {encoding}, not UTF-8", fix)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"not UTF-8: the byte 0x{content[error.start]:02x} is no text"
        raise _invalid(file, line, what, "save the file as UTF-8; it may be Latin-1 or Windows-1252") from None


def parse_document(text: str, file: str) -> Document | None:
    """The document in `text`, or None when there is nothing in it but comments. `file` is for messages.

    Raises:
        InvalidSpecError: no YAML, several documents, too deep or too many values.
    """
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise _invalid(file, text.count("\n", 0, forbidden.start()) + 1, *_describe_character(forbidden[0]))
    composer = Composer(file)
    try:
        root = composer.compose(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise InvalidSpecError((*composer.problems, _syntax_problem(error, text, file))) from error
    # An empty file has no document; one with only '---' has an empty one.
    if root is None or (isinstance(root, yaml_nodes.ScalarNode) and root.value is None):
        return None
    unprintable = _find_unprintable(root, file)
    return Document(file, root, (*composer.problems, *unprintable))


def _describe_character(character: str) -> tuple[str, str]:
    if character == "\0":
        return "a NUL byte", "the file is binary, or UTF-16 without a mark: save it as UTF-8"
    return f"the control character U+{ord(character):04X}", "remove it"


def _find_unprintable(root: yaml_nodes.Node, file: str) -> tuple[Problem, ...]:
    """Control characters that came in through escapes such as "\\0": no name, command or prompt may hold them."""
    found: dict[int, Problem] = {}
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        match node:
            case yaml_nodes.ScalarNode():
                _note_unprintable(node.text, node.line, file, found)
            case yaml_nodes.SequenceNode():
                waiting.extend(node.items)
            case yaml_nodes.MappingNode():
                for key, entry in node.entries.items():
                    _note_unprintable(key, entry.line, file, found)
                    waiting.append(entry.node)
    return tuple(found[line] for line in sorted(found))


def _note_unprintable(text: str, line: int, file: str, found: dict[int, Problem]) -> None:
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        what = "NUL" if forbidden[0] == "\0" else f"the control character U+{ord(forbidden[0]):04X}"
        found.setdefault(line, Problem(file, line, f"the text contains {what}", "remove the escape"))


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    said = str(getattr(error, "problem", None) or error)
    lines = text.splitlines() or [""]
    line, column = _find_mark(error, said)
    if line > len(lines):  # the end of the file: said of the last line
        line, column = len(lines), len(lines[-1]) + 1
    shown = lines[line - 1]
    if re.match(r" *\t", shown):
        tab = shown.index("\t") + 1
        return Problem(file, line, f"column {tab}: a tab in the indentation", "YAML indents with spaces only")
    for fragment, meaning, hint in _SYNTAX:
        if fragment in said:
            return Problem(file, line, f"column {column}: {meaning}", hint)
    return Problem(file, line, f"column {column}: no valid YAML: {said}")


def _find_mark(error: yaml.YAMLError, said: str) -> tuple[int, int]:
    """Line and column, from 1, of what is wrong; of an unclosed quote, where it was opened."""
    place = "context_mark" if "unexpected end of stream" in said else "problem_mark"
    mark = getattr(error, place, None) or getattr(error, "problem_mark", None)
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _invalid(file: str, line: int, message: str, hint: str = "") -> InvalidSpecError:
    return InvalidSpecError((Problem(file, line, message, hint),))
