"""Which processes exist, which of them are ours, and ending them.

Imports only the standard library: the supervisor, a very small process, uses it too. psutil is asked only
where there is no /proc.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

TAG_VARIABLE = "PARALLEL_WORKERS_RUN"
"""Set in the environment of every agent, and so inherited by whatever it starts."""

_BOOT = "/proc/sys/kernel/random/boot_id"
_LOOK_AGAIN_SECONDS = 0.02
_KILL_SECONDS = 5.0
_HAS_PROC = sys.platform == "linux"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One process at one moment. `started` tells it from a later one that got the same pid, until the next boot.

    On Linux it counts from boot, so that setting the clock does not change it.

    `cpu_seconds` includes the children it has waited for; `rss_bytes` is resident memory.
    """

    pid: int
    parent: int
    started: float
    alive: bool
    cpu_seconds: float
    rss_bytes: int


ProcessTable = Mapping[int, Process]


def boot_id() -> str:
    """Which boot of the machine this is; '' where that is not told."""
    with contextlib.suppress(OSError), open(_BOOT, encoding="ascii") as file:  # noqa: PTH123 — no pathlib in the supervisor
        return file.read().strip()
    return ""


def read_processes() -> dict[int, Process]:
    """Every process of this machine by pid; one cheap look (about 15 µs each on Linux)."""
    if not _HAS_PROC:
        return _psutil_processes()
    with os.scandir("/proc") as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdigit()]
    return {process.pid: process for process in map(read_process, pids) if process}


def read_process(pid: int) -> Process | None:
    """One process, or None when there is none with this pid."""
    if not _HAS_PROC:
        return _psutil_processes().get(pid)
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.read(descriptor, 4096)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return parse_stat(pid, text)


def parse_stat(pid: int, text: bytes) -> Process | None:
    """Read `/proc/<pid>/stat` (proc(5)). The name may hold spaces and parentheses: fields begin after the last ')'."""
    fields = text[text.rfind(b")") + 2 :].split()
    if len(fields) < 22:
        return None
    return Process(
        pid=pid,
        parent=int(fields[1]),
        started=float(fields[19]),
        alive=fields[0] not in b"ZX",
        cpu_seconds=sum(map(int, fields[11:15])) / _TICKS,
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
    )


def descendants(table: ProcessTable, roots: Iterable[int]) -> tuple[Process, ...]:
    """Everything below `roots` (not the roots themselves), parents before children; zombies included."""
    children: defaultdict[int, list[Process]] = defaultdict(list)
    for process in table.values():
        children[process.parent].append(process)
    found: dict[int, Process] = {}
    waiting = list(roots)
    while waiting:
        for child in children[waiting.pop()]:
            if child.pid not in found:
                found[child.pid] = child
                waiting.append(child.pid)
    return tuple(found.values())


def find_tagged(tag: str) -> tuple[Process, ...]:
    """Live processes that carry the tag, and everything below them, whatever their environment says.

    Never this process itself, nor one whose environment may not be read.
    """
    table = read_processes()
    marked = {pid for pid, process in table.items() if process.alive and _carries(pid, tag)} - {os.getpid()}
    below = {process.pid for process in descendants(table, marked)} - {os.getpid()}
    return tuple(table[pid] for pid in sorted(marked | below) if table[pid].alive)


def send_signal(process: Process, signum: int) -> bool:
    """Signal exactly this process; False when it has ended (its pid may be another's by now) or is not ours to end."""
    try:
        handle = os.pidfd_open(process.pid) if _HAS_PROC else -1
    except OSError:
        return False
    try:
        # With the handle held the pid cannot change hands any more: if it is the same process now, it stays so.
        now = read_process(process.pid)
        if now is None or now.started != process.started or not now.alive:
            return False
        if handle < 0:
            os.kill(process.pid, signum)
        else:
            signal.pidfd_send_signal(handle, signum)
    except OSError:
        return False
    finally:
        if handle >= 0:
            os.close(handle)
    return True


def still_alive(processes: Iterable[Process]) -> tuple[Process, ...]:
    """Those that live on, as they are now; a pid that is another process by now does not count."""
    now = ((process, read_process(process.pid)) for process in processes)
    return tuple(found for was, found in now if found and found.alive and found.started == was.started)


def end_processes(find: Callable[[], Collection[Process]], grace_seconds: float) -> int:
    """End whatever `find` finds, again and again until it finds nothing: TERM, grace, KILL.

    Returns how many processes were signalled. Those that cannot be ended are given up after 5 seconds.
    """
    ended: set[tuple[int, float]] = set()
    kill_at = time.monotonic() + grace_seconds
    while living := find():
        now = time.monotonic()
        if now > kill_at + _KILL_SECONDS:
            break
        for process in living:
            key = (process.pid, process.started)
            if now >= kill_at:
                signum: int | None = signal.SIGKILL
            else:
                signum = None if key in ended else signal.SIGTERM
            if signum is not None and send_signal(process, signum):
                ended.add(key)
                if signum == signal.SIGTERM:
                    send_signal(process, signal.SIGCONT)  # A stopped process would never see the TERM.
        time.sleep(_LOOK_AGAIN_SECONDS)
    return len(ended)


def end_tagged(tag: str, grace_seconds: float = 5.0) -> int:
    """End every process that carries the tag, and its descendants; how many there were.

    For what an engine that was killed may have left: the tag is all that is known of them.
    """
    return end_processes(lambda: find_tagged(tag), grace_seconds)


def _carries(pid: int, tag: str) -> bool:
    """Whether the process was started with the tag in its environment."""
    if not _HAS_PROC:
        return _psutil_carries(pid, tag)
    with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 — no pathlib in the supervisor
        return f"{TAG_VARIABLE}={tag}".encode() in file.read().split(b"\0")
    return False


def _psutil_processes() -> dict[int, Process]:
    import psutil

    found = {}
    for each in psutil.process_iter(["ppid", "create_time", "status", "cpu_times", "memory_info"]):
        times, memory = each.info["cpu_times"], each.info["memory_info"]
        found[each.pid] = Process(
            pid=each.pid,
            parent=each.info["ppid"] or 0,
            started=each.info["create_time"] or 0.0,
            alive=each.info["status"] != psutil.STATUS_ZOMBIE,
            cpu_seconds=sum(times[:4]) if times else 0.0,
            rss_bytes=memory.rss if memory else 0,
        )
    return found


def _psutil_carries(pid: int, tag: str) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return bool(psutil.Process(pid).environ().get(TAG_VARIABLE) == tag)
    return False
