"""Turns YAML parse events into nodes, within limits.

PyYAML's own composer recurses in C without a limit, forgets nothing about nesting or alias bombs, and keeps
the last of two equal keys in silence. Working on its events instead, iteratively, gives all of these an end
and a line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import yaml

from parallel_workers.errors import InvalidSpecError, Problem
from parallel_workers.reading.yaml_nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, read_scalar

MAX_VALUES = 100_000
"""Values in one document, aliases counted as if written out; 1,000 full tasks are about 15,000."""
MAX_DEPTH = 50

_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = {"!", f"{_TAG}str"}
_SCALAR_TYPES: dict[str, tuple[type, ...]] = {
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
    f"{_TAG}bool": (bool,),
    f"{_TAG}null": (type(None),),
}
_MERGE = "<<"


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet; a mapping's children are key, value, key, value …"""

    line: int
    anchor: str | None
    is_mapping: bool
    children: list[Node] = field(default_factory=list)
    merge_keys: set[int] = field(default_factory=set)


class Composer:
    """Builds one document. `problems` gathers what does not stop the reading; what does is raised."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self._anchors: dict[str, Node] = {}
        self._open: list[_Open] = []
        self._values = 0

    def compose(self, events: Iterable[yaml.Event]) -> Node | None:
        """The document's root, or None when there is no document.

        Raises:
            InvalidSpecError: several documents, too deep, too many values, an alias that cannot be followed.
            yaml.YAMLError: the text is no YAML; comes from `events`.
        """
        documents = 0
        for event in events:
            line = event.start_mark.line + 1 if event.start_mark is not None else 1
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise self._stop(line, "a second document begins here", "keep one, without '---' in between")
                case yaml.ScalarEvent():
                    self._scalar(event, line)
                case yaml.AliasEvent():
                    self._alias(event.anchor or "", line)
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    self._begin(event, line)
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self._end()
        return self.root

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        text, tag = event.value, event.tag
        plain = event.style in (None, "")
        value = read_scalar(text) if plain or tag in _SCALAR_TYPES else text
        if tag in _TEXT_TAGS:
            value = text
        elif tag is not None and type(value) not in _SCALAR_TYPES.get(tag, ()):
            self._refuse_tag(tag, line)
            value = text
        if plain and text == _MERGE and self._open and self._open[-1].is_mapping:
            self._open[-1].merge_keys.add(len(self._open[-1].children))
        self._add(ScalarNode(line, value, text), event.anchor)

    def _alias(self, anchor: str, line: int) -> None:
        if any(collection.anchor == anchor for collection in self._open):
            raise self._stop(line, f"the alias '*{anchor}' stands inside what it refers to")
        target = self._anchors.get(anchor)
        if target is None:
            raise self._stop(line, f"the alias '*{anchor}' has no anchor", f"write '&{anchor}' before the first one")
        if isinstance(target, ScalarNode):
            target = replace(target, line=line)
        self._add(target, None)

    def _begin(self, event: yaml.SequenceStartEvent | yaml.MappingStartEvent, line: int) -> None:
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{_TAG}map" if is_mapping else f"{_TAG}seq"):
            self._refuse_tag(event.tag, line)
        self._open.append(_Open(line, event.anchor, is_mapping))
        self._limit_depth(0, line)

    def _end(self) -> None:
        done = self._open.pop()
        size = 1 + sum(child.size for child in done.children)
        height = 1 + max((child.height for child in done.children), default=0)
        if done.is_mapping:
            self._add(MappingNode(done.line, self._entries(done), size, height), done.anchor, counted=True)
        else:
            self._add(SequenceNode(done.line, tuple(done.children), size, height), done.anchor, counted=True)

    def _add(self, node: Node, anchor: str | None, *, counted: bool = False) -> None:
        self._count(1 if counted else node.size, node.line)
        self._limit_depth(node.height, node.line)
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node

    def _count(self, values: int, line: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise self._stop(
                line,
                f"more than {MAX_VALUES:,} values, aliases written out",
                "aliases of aliases multiply; split a large batch into several files",
            )

    def _limit_depth(self, height: int, line: int) -> None:
        if len(self._open) + height > MAX_DEPTH:
            raise self._stop(line, f"nested more than {MAX_DEPTH} levels deep")

    def _entries(self, done: _Open) -> dict[str, Entry]:
        """The mapping's own keys, then what its merge keys bring; the first to name a key wins."""
        entries: dict[str, Entry] = {}
        merged: list[Node] = []
        for index in range(0, len(done.children), 2):
            key, value = done.children[index], done.children[index + 1]
            if index in done.merge_keys:
                merged.append(value)
            elif not isinstance(key, ScalarNode):
                self._note(key.line, "a key must be plain text, not a list or mapping")
            elif key.text in entries:
                self._note(
                    key.line,
                    f"the key '{key.text}' is here twice: first in line {entries[key.text].line}",
                    "remove one; the first would be used",
                )
            else:
                entries[key.text] = Entry(key.line, value)
        for node in merged:
            self._merge(entries, node)
        return entries

    def _merge(self, entries: dict[str, Entry], node: Node) -> None:
        for source in node.items if isinstance(node, SequenceNode) else (node,):
            if not isinstance(source, MappingNode):
                self._note(source.line, "'<<' merges mappings only", "write '<<: *anchor' with the anchor on a mapping")
                continue
            self._count(len(source.entries), source.line)
            for key, entry in source.entries.items():
                entries.setdefault(key, entry)

    def _refuse_tag(self, tag: str, line: int) -> None:
        shown = tag.replace(_TAG, "!!")
        self._note(line, f"the tag '{shown}' is not allowed here", "remove it: only plain YAML values are read")

    def _note(self, line: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self.file, line, message, hint))

    def _stop(self, line: int, message: str, hint: str = "") -> InvalidSpecError:
        return InvalidSpecError((*self.problems, Problem(self.file, line, message, hint)))
