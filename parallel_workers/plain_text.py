"""Text that everything can hold: names of files and what programs say are bytes, and not all of them are UTF-8."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator


def clean_text(text: str) -> str:
    """Text that can be sent and kept: NUL and lone surrogates, as git's bytes become, turn into U+FFFD."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _clean(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


CleanText = Annotated[str, BeforeValidator(_clean)]
"""A field that takes any text and keeps it clean."""
