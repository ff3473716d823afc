"""Memory of processes: resident, and each one's fair share of what it shares with others (PSS, Linux only)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import psutil

MB = 1_000_000


class Memory(NamedTuple):
    """Bytes. Where the system tells no PSS, `pss` is the resident size: never too little."""

    rss: int
    pss: int

    def plus(self, other: Memory) -> Memory:
        """Both together."""
        return Memory(self.rss + other.rss, self.pss + other.pss)


NOTHING = Memory(0, 0)


def read_memory(pid: int) -> Memory:
    """The memory of a process now; nothing when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        sizes = {name: int(size.split()[0]) * 1024 for name, _, size in (line.partition(":") for line in lines)}
        return Memory(sizes["Rss"], sizes["Pss"])
    except FileNotFoundError:
        return _read_resident(pid)
    except (OSError, KeyError, IndexError):
        return NOTHING


def _read_resident(pid: int) -> Memory:
    try:
        resident = psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return NOTHING
    return Memory(resident, resident)


def read_peak_resident(pid: int) -> int:
    """The most a living process ever had resident, as the kernel remembers it; 0 when that is not told."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def find_tree(roots: Iterable[int]) -> list[int]:
    """The living processes among `roots` and everything below them, each address space once."""
    found: dict[int, None] = {}
    for root in roots:
        try:
            process = psutil.Process(root)
            below = [child.pid for child in process.children(recursive=True) if not _is_about_to_exec(child)]
            found |= dict.fromkeys([process.pid, *below])
        except psutil.Error:
            continue
    return list(found)


def _is_about_to_exec(child: psutil.Process) -> bool:
    """Whether it still is its parent's program: between vfork and exec, when it *uses* its parent's memory.

    The kernel then tells the parent's whole memory for both (https://man7.org/linux/man-pages/man2/vfork.2.html).
    """
    try:
        parent = child.parent()
        return parent is not None and child.cmdline() == parent.cmdline()
    except psutil.Error:
        return True


class PeakMemory:
    """While inside, looks every `seconds` at the process trees below `roots()`; then `peak` holds the largest sums."""

    def __init__(self, roots: Callable[[], Iterable[int]], seconds: float = 0.1) -> None:
        self._roots = roots
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak = NOTHING

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(self._seconds):
            now = read_sum(find_tree(self._roots()))
            self.peak = Memory(max(self.peak.rss, now.rss), max(self.peak.pss, now.pss))


def read_sum(pids: Iterable[int]) -> Memory:
    """The memory of several processes together."""
    total = NOTHING
    for pid in pids:
        total = total.plus(read_memory(pid))
    return total
