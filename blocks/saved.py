"""Reads a block document that operators have saved, and says what is wrong in words for them."""

from __future__ import annotations

from typing import TypeVar

from prefect.blocks.core import Block
from pydantic import ValidationError

from parallel_workers.errors import UsageError

DEFAULT_DOCUMENT = "default"

B = TypeVar("B", bound=Block)


async def load_or_default(block: type[B], name: str | None, *, without_one: str) -> B:
    """The document of that name; without a name the one called `default`, or an empty block when none is saved.

    `without_one` ends the sentence on what to do where there is no such document.

    Raises:
        UsageError: a name was given and nothing is saved under it, or what is saved does not fit. No value is named:
            it may be secret.
    """
    document, kind = name or DEFAULT_DOCUMENT, block._block_type_name
    try:
        return await block.aload(document)
    except (ValueError, RuntimeError) as error:  # Prefect makes a RuntimeError of pydantic's
        if "Unable to find block document" not in str(error):
            raise UsageError(f"the {kind} block {document!r} does not fit{_where(error)}: save it again") from None
        if name is None:
            return block()
        raise UsageError(
            f"there is no {kind} block {name!r} on this Prefect server: save one in the UI under "
            f"Blocks, or with `{block.__name__}(...).save({name!r})`, or leave the name out {without_one}"
        ) from error


def _where(error: Exception) -> str:
    told = error if isinstance(error, ValidationError) else error.__cause__ or error.__context__
    if not isinstance(told, ValidationError):
        return ""
    return f" ({', '.join(sorted({str(each['loc'][0]) for each in told.errors() if each['loc']}))})"
