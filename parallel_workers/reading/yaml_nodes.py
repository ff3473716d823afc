"""A YAML document as a tree that remembers where everything was written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

Plain = str | int | float | bool | None | list["Plain"] | dict[str, "Plain"]
"""What JSON can hold; the shape of a document without its lines."""

Path = tuple[str | int, ...]
"""The way to a value: mapping keys and list indexes (0-based) from the document's root."""


@dataclass(slots=True, frozen=True)
class ScalarNode:
    """One plain value. `text` is what the user wrote, so that `007` and `1.10` keep their digits as an id."""

    line: int
    value: str | int | float | bool | None
    text: str
    size: int = 1
    height: int = 0


@dataclass(slots=True, frozen=True)
class SequenceNode:
    """A list. `size` counts all values in it, `height` its levels; aliases count as if written out."""

    line: int
    items: tuple[Node, ...]
    size: int
    height: int


class Entry(NamedTuple):
    """One key of a mapping: the key's line (1-based) and its value."""

    line: int
    node: Node


@dataclass(slots=True, frozen=True)
class MappingNode:
    """A mapping with text keys, merge keys already carried out."""

    line: int
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    height: int = 1


Node = ScalarNode | SequenceNode | MappingNode

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {
    word: truth for truth, name in ((True, "true"), (False, "false")) for word in (name, name.title(), name.upper())
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,2})?")
_MAX_NUMBER_LENGTH = 40


def read_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar by YAML 1.2's core schema.

    Unlike YAML 1.1 this leaves `on`, `no`, `12:30` and dates what people mean by them: text.
    """
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) <= _MAX_NUMBER_LENGTH and _DECIMAL.fullmatch(text):
        return float(text)
    return text


def to_plain(node: Node) -> Plain:
    """The node's value without lines."""
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [to_plain(item) for item in node.items]
        case MappingNode():
            return {key: to_plain(entry.node) for key, entry in node.entries.items()}


def find_node(root: Node, path: Path) -> tuple[int, Node | None]:
    """The line of what is at `path` (of its key, if it has one), and the node itself.

    When it is not there: the line of the nearest thing around it, and None.
    """
    line, node = root.line, root
    for step in path:
        found = _step(node, step)
        if found is None:
            return line, None
        line, node = found
    return line, node


def _step(node: Node, step: str | int) -> Entry | None:
    if isinstance(node, MappingNode) and isinstance(step, str):
        return node.entries.get(step)
    if isinstance(node, SequenceNode) and isinstance(step, int) and 0 <= step < len(node.items):
        return Entry(node.items[step].line, node.items[step])
    return None


def mapping_of(node: Node | None) -> dict[str, Entry]:
    """The entries of a mapping; none for anything else."""
    return node.entries if isinstance(node, MappingNode) else {}


def items_of(node: Node | None) -> Iterator[Node]:
    """The items of a list; none for anything else."""
    if isinstance(node, SequenceNode):
        yield from node.items
