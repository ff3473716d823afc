"""Single-flight: callers that ask for the same thing at the same time share one answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future


class SharedFetches:
    """A call joins a fetch that has *not begun yet*, never one under way: its answer might be too old.

    So at most two fetches of a key are wanted at once, one running and one that waits for it,
    whatever the number of callers.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: dict[str, Future[str]] = {}
        self._waiting: dict[str, Future[str]] = {}

    def run(self, key: str, fetch: Callable[[], str]) -> str:
        """The answer of a `fetch` for `key` that began after this call; its error is raised to all who share it."""
        with self._guard:
            running, waiting = self._running.get(key), self._waiting.get(key)
            if waiting is None:
                ours: Future[str] = Future()
                (self._running if running is None else self._waiting)[key] = ours
        if waiting is not None:
            return waiting.result()
        return self._lead(key, ours, running, fetch)

    def _lead(self, key: str, ours: Future[str], running: Future[str] | None, fetch: Callable[[], str]) -> str:
        try:
            if running is not None:
                running.exception()  # waits for its end; how it ended is none of our business
                with self._guard:
                    self._running[key] = self._waiting.pop(key)
            answer = fetch()
        except BaseException as error:
            self._forget(key, ours)
            ours.set_exception(error)
            raise
        self._forget(key, ours)
        ours.set_result(answer)
        return answer

    def _forget(self, key: str, ours: Future[str]) -> None:
        with self._guard:
            for flights in (self._running, self._waiting):
                if flights.get(key) is ours:
                    del flights[key]
