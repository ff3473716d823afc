"""Whether a silent agent is at work, and how much memory its processes take."""

from __future__ import annotations

import threading
import time

from parallel_workers.adapters.agents.process_tree import Process, ProcessTable, descendants, read_processes

BUSY_SHARE = 0.05
"""CPU time per time, of one core, from which a silent process tree counts as at work. An agent program that waits
for an answer that never comes runs its event loop all the same (node: 1-2 %); a compiler is far above."""

_SHORTEST_LOOK_SECONDS = 0.1
_LONGEST_LOOK_SECONDS = 2.0


class SharedTable:
    """The process table, read at most once per `max_age` however many runs look at it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._table: ProcessTable = {}

    def read(self, max_age: float) -> ProcessTable:
        """The table as it was at most `max_age` seconds ago."""
        with self._lock:
            if time.monotonic() - self._read_at > max_age:
                self._table = read_processes()
                self._read_at = time.monotonic()
            return self._table


_TABLE = SharedTable()


class LifeSigns:
    """Looks at the processes below `root` now and then.

    A sign of life is output, a process begun or ended since the last look, or CPU time above `BUSY_SHARE` over a
    tenth of the stall timeout (so long, that a garbage collection in an idle program does not count). An agent, or
    a tool, that only waits in silence gives none: after its stall timeout it counts as stalled.
    """

    def __init__(self, root: int, stall_seconds: float, now: float) -> None:
        self._root = root
        self._stall_seconds = stall_seconds
        self._interval = min(max(stall_seconds / 10, _SHORTEST_LOOK_SECONDS), _LONGEST_LOOK_SECONDS)
        self._looked_at = self._last_sign_at = self._cpu_since = now
        self._cpu_seconds = 0.0
        self.living: tuple[Process, ...] = ()
        """The processes seen at the last look."""
        self.peak_rss_bytes = 0
        """Highest sum of resident memory seen; memory that processes share counts in each."""

    def saw_output(self, now: float) -> None:
        """The agent has just printed something."""
        self._last_sign_at = now

    def look(self, now: float) -> None:
        """Look at the processes, when it is time to."""
        if now - self._looked_at < self._interval:
            return
        table = _TABLE.read(self._interval / 2)
        living = tuple(each for each in descendants(table, [self._root]) if each.alive)
        changed = {each.pid for each in living} != {each.pid for each in self.living}
        self._looked_at, self.living = now, living
        self.peak_rss_bytes = max(self.peak_rss_bytes, sum(each.rss_bytes for each in living))
        if self._was_busy(sum(each.cpu_seconds for each in living), now) or changed:
            self._last_sign_at = now

    def _was_busy(self, cpu_seconds: float, now: float) -> bool:
        """Whether the time since the CPU time was last noted, once it is long enough, was spent at work."""
        elapsed = now - self._cpu_since
        if elapsed < self._stall_seconds / 10:
            return False
        busy = cpu_seconds - self._cpu_seconds >= BUSY_SHARE * elapsed
        self._cpu_since, self._cpu_seconds = now, cpu_seconds
        return busy

    def stalled(self, now: float) -> bool:
        """Whether the last sign of life is longer ago than the stall timeout."""
        return now - self._last_sign_at >= self._stall_seconds
