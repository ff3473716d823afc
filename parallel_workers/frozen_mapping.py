"""A mapping nobody can change; unlike MappingProxyType it can be hashed, copied and pickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

_Value = TypeVar("_Value")


class FrozenMapping(Mapping[str, _Value]):
    """Text keys to values; made once from another mapping, in its order."""

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[str, _Value] | None = None) -> None:
        self._entries = dict(entries or {})

    def __getitem__(self, key: str) -> _Value:
        return self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __hash__(self) -> int:
        return hash(frozenset(self._entries.items()))

    def __repr__(self) -> str:
        return f"FrozenMapping({self._entries!r})"
