"""What runs inside a standing process: `python -m deployments.standing_process <folder> <name> <module> [argument …]`.

Started by `deployments.standing_processes`; carries out the module as `python -m` would, under a lock (so that there is
one of each name) and with a bounded log.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from deployments import server_lock, server_log
from deployments.server_settings import EXIT_OCCUPIED


def main(arguments: Sequence[str]) -> int:
    """Be the process: take the lock, begin the log, run the module until it ends or is told to stop."""
    folder, name, module = Path(arguments[0]), arguments[1], arguments[2]
    url = os.environ.get("PREFECT_API_URL", "")
    if server_lock.acquire(folder, name, url) is None:  # let go of by the end of the process
        return EXIT_OCCUPIED
    server_log.begin(folder, name)
    sys.argv = [module, *arguments[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
