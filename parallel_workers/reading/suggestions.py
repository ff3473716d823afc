"""'Did you mean …': the nearest known name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MAX_SHOWN = 12
_MAX_LENGTH = 100


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that `name` most likely stands for; case, '-' and '_' count as equal. None when none is near.

    `cutoff` is difflib's ratio, 0..1.
    """
    wanted = _fold(name[:_MAX_LENGTH])
    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(_fold(candidate), candidate)
    if not wanted or not folded:
        return None
    if wanted in folded:
        return folded[wanted]
    close = difflib.get_close_matches(wanted, folded, n=1, cutoff=cutoff)
    if close:
        return folded[close[0]]
    begun = [candidate for candidate in folded if candidate.startswith(wanted)]
    return folded[begun[0]] if len(begun) == 1 else None


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint: the nearest known name, or else what is known; '' when nothing is."""
    names = tuple(known)
    found = nearest(name, names)
    if found is not None:
        return f"did you mean '{found}'?"
    if not names:
        return ""
    more = ", …" if len(names) > _MAX_SHOWN else ""
    return f"known: {', '.join(names[:_MAX_SHOWN])}{more}"


def _fold(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")
