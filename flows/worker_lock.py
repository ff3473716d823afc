"""The lock that a live engine holds on each of its workers.

It is what tells a live engine's worker from a dead one's: the operating system lets go of a file lock when the
process dies, however it dies.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from filelock import FileLock, Timeout

from flows.stop_signal import StopSignal
from parallel_workers.locations import data_folder

_LOOK_SECONDS = 0.5


def worker_lock(worker: str) -> FileLock:
    """The lock of one worker; not held yet."""
    folder = data_folder().locks
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{worker}.lock", thread_local=False)


def is_held(worker: str) -> bool:
    """Whether a live engine on this machine runs the worker."""
    try:
        with worker_lock(worker).acquire(timeout=0):
            return False
    except Timeout:
        return True


@asynccontextmanager
async def hold_lock(worker: str, stop: StopSignal, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the worker's lock; waits while another engine runs it, after calling `on_wait` once.

    Raises:
        StoppedError: `stop` was set while waiting.
    """
    lock, waiting = worker_lock(worker), False
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            if not waiting:
                on_wait()
            waiting = True
            stop.check()
            await asyncio.sleep(_LOOK_SECONDS)
    try:
        yield
    finally:
        lock.release()
