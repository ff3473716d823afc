"""Where the log lines of our own modules go while a command runs: to stderr, with the rest of the talk."""

from __future__ import annotations

import os

_FORMAT = "{level}: {message}"


def quiet_log() -> None:
    """Only warnings, without decoration. Costs no import: loguru reads this when somebody imports it."""
    os.environ.setdefault("LOGURU_LEVEL", "WARNING")
    os.environ.setdefault("LOGURU_FORMAT", _FORMAT)


def route_log(*, verbose: bool) -> None:
    """Say log lines as commands say things, so that a live table stays whole; all of them when `verbose`."""
    from loguru import logger

    from parallel_workers.cli.output import say

    logger.remove()
    logger.add(lambda line: say(str(line).rstrip("\n")), level="DEBUG" if verbose else "WARNING", format=_FORMAT)
