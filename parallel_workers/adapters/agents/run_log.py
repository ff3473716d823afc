"""The file that keeps an agent's output of all its rounds, within a size limit: how each began, and how it ended."""

from __future__ import annotations

import contextlib
import os
import shutil
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024

_COPY_BYTES = 1024 * 1024


class RunLog:
    """Adds blocks of lines to `path`, never more than `limit_bytes` on disk in all.

    What earlier rounds left stays, up to a quarter of the limit, its end; a line with the time tells where this
    one begins. The first half of the limit takes that and the beginning. After that two segments beside it take
    turns, so that at least the last sixth of the limit is always there; closing joins them to the first with a line
    that says how much is missing between. A run that was killed leaves the segments (`<name>.last`,
    `<name>.before-last`), and the next round joins them.
    """

    def __init__(self, path: Path, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._path = path
        # While segments are joined one of them exists twice: two of a sixth and a copy stay within the other half.
        self._segment_bytes = limit_bytes // 6
        self._segment_left = 0
        self._skipped = 0
        self._broken = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._newer = path.with_name(f"{path.name}.last")
        self._older = path.with_name(f"{path.name}.before-last")
        self._segment: FileIO | None = None
        self._head = _open_private(path, os.O_APPEND)
        kept = self._keep_earlier(limit_bytes // 4)
        self._head_left = limit_bytes // 2 - kept

    def _keep_earlier(self, most_bytes: int) -> int:
        """Join what a killed round left, shorten it all to its end, mark the beginning of this round; the size now."""
        with contextlib.suppress(OSError):
            self._join_segments("output of a run that was killed may be missing here")
            _shorten(self._path, most_bytes)
            if self._path.stat().st_size:
                begun_at = datetime.now(UTC).isoformat(timespec="seconds")
                self._head.write(f"[parallel-workers] ---- {begun_at} the next round begins ----\n".encode())
        return self._path.stat().st_size

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
            self._join_segments(f"{self._skipped:,} bytes of output left out here" if self._skipped else "")

    def _join_segments(self, note: str) -> None:
        segments = [segment for segment in (self._older, self._newer) if segment.exists()]
        if segments and note:
            self._head.write(f"[parallel-workers] {note}\n".encode())
        for segment in segments:
            with segment.open("rb") as source:
                shutil.copyfileobj(source, self._head, _COPY_BYTES)
            segment.unlink()

    def _turn(self) -> None:
        """Begin a new last segment; what was the one before it is given up."""
        if self._segment is not None:
            self._segment.close()
            if self._older.exists():
                self._skipped += self._older.stat().st_size
            self._newer.replace(self._older)
        self._segment = _open_private(self._newer, os.O_TRUNC)
        self._segment_left = self._segment_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_private(path: Path, how: int) -> FileIO:
    """For us alone: agents print what they read, secrets included."""
    return FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | how | os.O_CLOEXEC, 0o600), "wb")


def _shorten(path: Path, most_bytes: int) -> None:
    """Cut whole lines off the beginning, in place: a copy would need the room twice."""
    left_out = path.stat().st_size - most_bytes
    if left_out <= 0:
        return
    with path.open("r+b") as log:
        note = f"[parallel-workers] the beginning, {left_out:,} bytes and more, was left out here\n".encode()
        log.seek(left_out + len(note) - 1)
        log.readline(_COPY_BYTES)
        source, target = log.tell(), len(note)
        while piece := os.pread(log.fileno(), _COPY_BYTES, source):
            target += os.pwrite(log.fileno(), piece, target)
            source += len(piece)
        os.pwrite(log.fileno(), note, 0)
        log.truncate(target)
