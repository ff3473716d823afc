"""Ctrl-C and its kin during a run: once to stop in good order, twice to leave at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TypeVar

import psutil

from parallel_workers.adapters.agents.process_tree import TAG_VARIABLE
from parallel_workers.cli.boundary import ExitCode

Result = TypeVar("Result")
Work = Callable[[asyncio.Event], Coroutine[Any, Any, Result]]
"""What is run: gets the event that says 'stop'."""

_LAST_WORDS_SECONDS = 5.0
"""How long after a second signal the server may take to be told; when it is away, the next run tells it."""
_HEARD_SECONDS = 1.0
"""How long the event loop may take to pass on the first signal before agents are killed; it may be stuck."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_stopped(
    work: Work[Result], on_first: Callable[[], None], on_second: Callable[[], None]
) -> tuple[Result, bool]:
    """Run `work` to its end; its result, and whether it was told to stop.

    The first SIGINT, SIGTERM or SIGHUP sets the event that `work` was given. A second one kills all agents at once and
    ends this process, as soon as `work` has written down how they ended, at most `_LAST_WORDS_SECONDS` later; a third
    one does not wait for that. `on_first` and `on_second` are called before. Call it in the main thread.

    The event loop has a thread of its own, for two reasons: Prefect puts a SIGTERM handler of its own in place of
    ours while a flow runs, but only in the main thread; and a second Ctrl-C must work even if the loop is stuck.
    """
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    stop = asyncio.Event()
    ended: Future[Result] = Future()

    def received(_signum: int, _frame: FrameType | None) -> None:
        if not interrupted.is_set():
            interrupted.set()
            with suppress(RuntimeError):  # the loop has just ended by itself
                loop.call_soon_threadsafe(stop.set)
            on_first()
            return
        if not leaving.is_set():
            leaving.set()
            on_second()
            _let_hear(loop)
            end_agents()
            with suppress(RuntimeError):  # it has not even begun
                thread.join(_LAST_WORDS_SECONDS)
        os._exit(ExitCode.INTERRUPTED)  # threads that wait for agents would keep a normal exit waiting

    interrupted, leaving = threading.Event(), threading.Event()
    thread = threading.Thread(target=_run, args=(loop, work(stop), ended), name="event-loop", daemon=True)
    with _handled(received):
        thread.start()
        result = ended.result()
    thread.join()
    return result, interrupted.is_set()


def _let_hear(loop: asyncio.AbstractEventLoop) -> None:
    """Have the first signal passed on before agents are killed: what then ends was cancelled, and did not fail."""
    heard = threading.Event()
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: loop.call_later(0.05, heard.set))
        heard.wait(_HEARD_SECONDS)


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Result], ended: Future[Result]) -> None:
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            result = runner.run(work)
    except BaseException as error:  # noqa: BLE001 - the main thread raises it again
        ended.set_exception(error)
    else:
        ended.set_result(result)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have the signals handled; one this process was started to ignore (`nohup`, a background job) stays ignored."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heard = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])


def end_agents() -> int:
    """Kill every descendant of this process that an agent run started; their number.

    They carry the run's tag in their environment; the embedded server, which must go on, does not.
    """
    ended = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if TAG_VARIABLE in process.environ():
                process.kill()
                ended += 1
        except psutil.Error:
            continue
    return ended
