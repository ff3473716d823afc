"""One question, one answer; a failure is no answer."""

from __future__ import annotations

import asyncio

import pytest

from flows.asked_once import AskedOnce


async def test_everybody_gets_the_one_answer() -> None:
    asked: list[str] = []

    async def ask() -> str:
        asked.append("x")
        await asyncio.sleep(0)
        return "answer"

    once: AskedOnce[str] = AskedOnce()
    assert await asyncio.gather(*(once.get("q", ask) for _ in range(3))) == ["answer"] * 3
    assert asked == ["x"]
    await once.get("another", ask)
    assert asked == ["x", "x"]


async def test_what_failed_is_asked_again() -> None:
    failures = [OSError("away")]

    async def ask() -> str:
        if failures:
            raise failures.pop()
        return "answer"

    once: AskedOnce[str] = AskedOnce()
    with pytest.raises(OSError, match="away"):
        await once.get("q", ask)
    assert await once.get("q", ask) == "answer"


async def test_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    ready = asyncio.Event()

    async def ask() -> str:
        await ready.wait()
        return "answer"

    once: AskedOnce[str] = AskedOnce()
    first, second = (asyncio.create_task(once.get("q", ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    ready.set()
    assert await second == "answer"
