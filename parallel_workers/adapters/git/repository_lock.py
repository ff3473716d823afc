"""One lock per repository, shared by threads and processes, that a kill -9 of its holder frees."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parallel_workers.errors import RepositoryLockedError

DEFAULT_TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.005


class RepositoryLock:
    """`flock` on a file. Not filelock: git started under the lock has to inherit its descriptor.

    So the lock is held until that git has ended too, even when we were killed in between, and the next
    holder never meets a half-made worktree that somebody is still making.
    """

    def __init__(self, path: Path, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self.path = path
        self._timeout_seconds = timeout_seconds
        # threads queue here: they are woken at once, and only one of them polls the file
        self._threads = threading.Lock()

    @contextmanager
    def hold(self) -> Iterator[int]:
        """Hold the lock; gives the descriptor to hand to git.

        Raises:
            RepositoryLockedError: it was not to be had within the timeout.
        """
        deadline = time.monotonic() + self._timeout_seconds
        if not self._threads.acquire(timeout=self._timeout_seconds):
            raise self._refusal()
        try:
            descriptor = self._acquire_file(deadline)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
        finally:
            self._threads.release()

    def _acquire_file(self, deadline: float) -> int:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    raise self._refusal() from None
                time.sleep(_POLL_SECONDS)
            else:
                return descriptor

    def _refusal(self) -> RepositoryLockedError:
        return RepositoryLockedError(
            f"{self.path} is still locked after {self._timeout_seconds:g} s: another process of parallel-workers "
            f"is at work in this repository; see which with: fuser {self.path}"
        )
