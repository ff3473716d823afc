"""What is said when there is no room to save something, or it cannot be read: then it is not removed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from parallel_workers.errors import GitCommandError, UnsavedWorkError

_HINDERED = re.compile(
    r"^(?:error: |fatal: )?(.*(?:No space left on device|Disk quota exceeded|Permission denied).*)$", re.MULTILINE
)


@contextmanager
def saved_or_kept(subject: str) -> Iterator[None]:
    """Around all that saves `subject`.

    Raises:
        UnsavedWorkError: it could not be saved, for want of room or of permission, and is not to be removed.
        GitCommandError: git failed for another reason.
    """
    try:
        yield
    except (OSError, GitCommandError) as error:
        said = str(error) if isinstance(error, OSError) else _hindrance(error)
        if not said:
            raise
        raise UnsavedWorkError(
            f"{subject} is not removed, because what is in it could not be saved: {said}. All of it is kept as it is. "
            "Make room, or make it readable, and remove it again"
        ) from error


def _hindrance(error: GitCommandError) -> str:
    """The line in which git says that a disk is full or a file closed; '' when it failed for something else."""
    found = _HINDERED.search(error.stderr)
    return found[1] if found else ""
