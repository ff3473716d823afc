"""With this folder on PYTHONPATH, a Python process's wall clock is off by the seconds in a file, changed at any time.

The system's own clock is not a test's to set, and libfaketime breaks `time.sleep`. Monotonic clocks go on as they are,
as they do when a person or NTP sets the clock.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
import os
import time
from pathlib import Path
from typing import Any

CLOCK_VARIABLE = "PARALLEL_WORKERS_TEST_CLOCK"


def set_off(file: Path) -> None:
    """Let every way to ask Python for the time of day answer with what `file` says added."""
    real_time, real_time_ns = time.time, time.time_ns

    def off() -> float:
        return float(file.read_text(encoding="ascii"))

    def now(cls: type[datetime.datetime], tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return cls.fromtimestamp(time.time(), tz)

    time.time = lambda: real_time() + off()
    time.time_ns = lambda: real_time_ns() + int(off() * 1e9)
    # the class itself is kept: pydantic and pendulum know it. Its dictionary is read-only by way of a proxy alone.
    members: dict[str, Any] = gc.get_referents(datetime.datetime.__dict__)[0]
    members["now"] = classmethod(now)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))


if CLOCK_VARIABLE in os.environ:
    set_off(Path(os.environ[CLOCK_VARIABLE]))
