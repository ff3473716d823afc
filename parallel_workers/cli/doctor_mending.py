"""Carries out what `doctor --fix` may do by itself. Each step looks once more before it acts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import assert_never

from filelock import Timeout

from flows.worker_lock import worker_lock
from parallel_workers.adapters.agents.orphans import end_agents
from parallel_workers.adapters.git.leftovers import Leftovers
from parallel_workers.errors import ParallelWorkersError
from parallel_workers.health import EndAgents, EndBatch, ForgetWorktree, Mend, Mended, PutBack, RemoveLock
from parallel_workers.locations import DataFolder

_GRACE_SECONDS = 5.0
_TAKEN = "an engine has taken it up"


def carry_out(mends: Iterable[Mend], data: DataFolder, leftovers: Leftovers | None) -> tuple[Mended, ...]:
    """What came of each, in order. One that cannot be done does not keep the others."""
    return tuple(_carry_out(mend, data, leftovers) for mend in mends)


def _carry_out(mend: Mend, data: DataFolder, leftovers: Leftovers | None) -> Mended:
    match mend:
        case EndAgents():
            return _end(mend, data)
        case PutBack():
            return _put_back(mend)
        case EndBatch():
            return _end_batch(mend)
        case RemoveLock(path):
            done = leftovers is not None and leftovers.remove_lock(path)
            return Mended(f"removed {path}" if done else f"left {path}: it is gone or in use by now", done)
        case ForgetWorktree():
            return _forget(mend, leftovers)
        case _:
            assert_never(mend)


def _end(mend: EndAgents, data: DataFolder) -> Mended:
    try:
        with worker_lock(mend.worker).acquire(timeout=0):
            count = end_agents(mend.worker, data.root / "runs", _GRACE_SECONDS)
    except Timeout:
        return Mended(f"left the agent of {mend.worker}: {_TAKEN}", done=False)
    what = f"ended the agent of {mend.worker} ({count} process{'es' if count != 1 else ''}); its work is kept"
    return Mended(what, done=True)


def _put_back(mend: PutBack) -> Mended:
    from flows.worker_health import put_back

    try:
        left = asyncio.run(put_back(mend.run_id))
    except Timeout:
        left = _TAKEN
    if left:
        return Mended(f"left {mend.worker}: {left}", done=False)
    return Mended(f"put {mend.worker} back to UNKNOWN; running its batch again goes on with it", done=True)


def _end_batch(mend: EndBatch) -> Mended:
    from flows.worker_health import end_batch

    if asyncio.run(end_batch(mend.run_id)):
        return Mended(f"{mend.name} counts as ended; running its batch file again goes on with it", done=True)
    return Mended(f"left {mend.name}: it has ended by now, or an engine runs it", done=False)


def _forget(mend: ForgetWorktree, leftovers: Leftovers | None) -> Mended:
    try:
        done = leftovers is not None and leftovers.forget(mend.path)
    except (ParallelWorkersError, OSError) as error:
        return Mended(f"left the record of {mend.path}: {error}", done=False)
    kept = f"left the record of {mend.path}: it is in use by now"
    return Mended(f"dropped git's record of {mend.path}; its branch is kept" if done else kept, done)
