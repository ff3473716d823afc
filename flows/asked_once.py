"""What a process asks its Prefect server once, and everybody in it then knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar, cast

A = TypeVar("A")


class AskedOnce(Generic[A]):
    """Answers by question. Whoever asks meanwhile waits for the same answer; one that failed is asked for again."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, asyncio.Task[A]] = {}

    async def get(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, A]]) -> A:
        """The answer to `question`, from `ask()` the first time; raises what that raised."""
        asking = self._answers.get(question)
        if asking is None or (asking.done() and (asking.cancelled() or asking.exception() is not None)):
            asking = self._answers[question] = asyncio.create_task(ask())
        # One who gives up waiting must not take the answer from the others.
        return cast("A", await asyncio.shield(asking))
