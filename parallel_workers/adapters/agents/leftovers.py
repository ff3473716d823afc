"""What an engine that was killed has left running: written down beside the run, found by start time and tag.

The supervisor of a dead engine's agent ends it by itself (see `supervisor`), which may take its grace; when it was
killed too, nobody does. Whoever takes up the worker waits for the first and does the second, before anything else
happens in the worktree: two agents at once would each undo what the other does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from loguru import logger

from parallel_workers.adapters.agents.process_tree import (
    Process,
    boot_id,
    descendants,
    end_processes,
    find_tagged,
    read_process,
    read_processes,
)

_LOOK_SECONDS = 0.02
_GRACE_SECONDS = 1.0
_SUPERVISOR_SECONDS = 12.0
"""How long a supervisor may take by itself: its grace, and then five seconds of KILL."""


class RunningAgent(NamedTuple):
    """Who supervises an agent. Without `supervisor` it is only known that one was about to be started.

    `started` is the supervisor's start time; a process id may be another's by now, and after a boot all are.
    """

    boot: str
    supervisor: int = 0
    started: float = 0.0


def note_file(folder: Path, tag: str) -> Path:
    """Where it is written down that an agent runs."""
    return folder / f"running-{tag}.json"


@contextmanager
def noted(folder: Path, tag: str) -> Iterator[None]:
    """While inside, `folder` says that an agent with this tag runs; the note stays when this process is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(note_file(folder, tag), RunningAgent(boot_id()))
    try:
        yield
    finally:
        note_file(folder, tag).unlink(missing_ok=True)


def note_supervisor(folder: Path, tag: str, supervisor: int) -> None:
    """Add who supervises it."""
    process = read_process(supervisor)
    if process is not None:
        _write(note_file(folder, tag), RunningAgent(boot_id(), supervisor, process.started))


def end_leftovers(folder: Path, tag: str, *, patience_seconds: float = _SUPERVISOR_SECONDS) -> int | None:
    """End what a dead engine's agent left running; how many processes had to be ended by us, None: no agent was left.

    Only for who holds the worker's lock: then no engine that lives has an agent at work in that folder.
    """
    note = note_file(folder, tag)
    was = _read(note)
    if was is None:
        return None
    deadline = time.monotonic() + patience_seconds
    while _find_supervisor(was) is not None and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    ended = end_processes(lambda: _find_leftovers(was, tag), _GRACE_SECONDS)
    if ended:
        logger.warning("ended {} processes that the agent of an engine that is gone had left running", ended)
    note.unlink(missing_ok=True)
    return ended


def _find_leftovers(was: RunningAgent, tag: str) -> tuple[Process, ...]:
    """By the tag in their environment; and whatever is below the supervisor, for those that have cleared theirs."""
    supervisor = _find_supervisor(was)
    below = descendants(read_processes(), [supervisor.pid]) if supervisor else ()
    supervised = (*(each for each in below if each.alive), *([supervisor] if supervisor else []))
    return tuple({each.pid: each for each in (*find_tagged(tag), *supervised)}.values())


def _find_supervisor(was: RunningAgent) -> Process | None:
    """The very process that was noted, if it lives."""
    if not was.supervisor or was.boot != boot_id():
        return None
    now = read_process(was.supervisor)
    return now if now is not None and now.alive and now.started == was.started else None


def _write(note: Path, running: RunningAgent) -> None:
    """At once and whole: whoever reads it after a kill finds the old note or the new one."""
    draft = note.with_suffix(".new")
    draft.write_text(json.dumps(running._asdict()), encoding="ascii")
    draft.replace(note)


def _read(note: Path) -> RunningAgent | None:
    try:
        entry = json.loads(note.read_text(encoding="ascii"))
        return RunningAgent(str(entry["boot"]), int(entry["supervisor"]), float(entry["started"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return RunningAgent(boot_id())
