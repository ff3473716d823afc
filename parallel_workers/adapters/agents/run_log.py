"""The file that keeps an agent's output, within a size limit: how it began, and how it ended."""

from __future__ import annotations

import contextlib
import os
import shutil
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024


class RunLog:
    """Writes blocks of lines to `path`, never more than `limit_bytes` on disk in all.

    The first half of the limit takes the beginning. After that two segments beside it take turns, so that at
    least the last sixth of the limit is always there; closing joins them to the first with a line that says how
    much is missing between. A run that was killed leaves the segments (`<name>.last`, `<name>.before-last`).
    """

    def __init__(self, path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._path = path
        self._head_left = limit_bytes // 2
        # While segments are joined one of them exists twice: two of a sixth and a copy stay within the other half.
        self._segment_bytes = limit_bytes // 6
        self._segment_left = 0
        self._skipped = 0
        self._broken = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._newer = path.with_name(f"{path.name}.last")
        self._older = path.with_name(f"{path.name}.before-last")
        for segment in (self._newer, self._older):
            segment.unlink(missing_ok=True)
        self._head = _open_private(path)
        self._segment: FileIO | None = None

    def write(self, block: bytes) -> str:
        """Add lines. A full disk must not end the agent: answers what went wrong, once, and '' otherwise."""
        if self._broken:
            return ""
        try:
            self._write(block)
        except OSError as error:
            self._broken = True
            return error.strerror or "it cannot be written"
        return ""

    def _write(self, block: bytes) -> None:
        if self._segment is None and len(block) <= self._head_left:
            self._head_left -= len(block)
            self._head.write(block)
            return
        if self._segment is None or len(block) > self._segment_left:
            self._turn()
        assert self._segment is not None  # noqa: S101 — for the type checker
        self._segment.write(block)
        self._segment_left -= len(block)

    def close(self) -> None:
        """Join the segments and let go."""
        with self._head, contextlib.suppress(OSError):
            self._join()

    def _join(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None
            if self._skipped:
                self._head.write(f"[parallel-workers] {self._skipped:,} bytes of output left out here\n".encode())
            for segment in (self._older, self._newer):
                if segment.exists():
                    with segment.open("rb") as source:
                        shutil.copyfileobj(source, self._head, 1024 * 1024)
                    segment.unlink()

    def _turn(self) -> None:
        """Begin a new last segment; what was the one before it is given up."""
        if self._segment is not None:
            self._segment.close()
            if self._older.exists():
                self._skipped += self._older.stat().st_size
            self._newer.replace(self._older)
        self._segment = _open_private(self._newer)
        self._segment_left = self._segment_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_private(path: Path) -> FileIO:
    """For us alone: agents print what they read, secrets included."""
    return FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb")
