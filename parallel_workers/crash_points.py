"""Named points at which a test can kill this process, to show that nothing is lost there."""

from __future__ import annotations

import os
import signal

CRASH_VARIABLE = "PARALLEL_WORKERS_CRASH_AT"
"""Set by tests only: the name of the point at which the process kills itself."""


def reach(point: str) -> None:
    """Say that `point` was reached; the process ends by SIGKILL, as by a kill -9, when a test asked for that."""
    if os.environ.get(CRASH_VARIABLE) == point:
        os.kill(os.getpid(), signal.SIGKILL)
