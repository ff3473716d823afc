"""An agent's output, cut into lines without ever holding much of it."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from parallel_workers.ports import LineSink

MAX_LINE_BYTES = 16 * 1024
NOT_KEPT = "[parallel-workers] output is no longer kept in "
"""How the line begins that says so; the log file and the reason follow."""

CUT_MARK = b" [...cut]"
LAST_LINES = 40

# On a line of its own: an agent that repeats its prompt, where the words stand inside a sentence, says nothing.
_VERDICT_MARK = b"PARALLEL_WORKERS_RESULT:"
# Language models like to dress such a line in Markdown.
_VERDICT = re.compile(rb"^[ \t`*>-]*PARALLEL_WORKERS_RESULT:[ \t]*no-change-needed\b[ \t:-]*([^\r\n]*)", re.MULTILINE)
_PLACEHOLDER = "<reason>"
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = {code: "\ufffd" for code in range(32) if chr(code) != "\t"}


class LineAssembler:
    """Turns the pieces read from one pipe into blocks of complete lines; holds at most one line of bounded length."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._tail = b""
        self._skipping = False

    def feed(self, piece: bytes) -> bytes:
        """The lines this piece completes, each ending in a newline and none longer than the limit; may be empty.

        Of a line that a progress display wrote over and over (carriage returns), what stood there last.
        """
        if self._skipping:
            _, newline, piece = piece.partition(b"\n")
            if not newline:
                return b""
            self._skipping = False
        complete, newline, self._tail = (self._tail + piece).rpartition(b"\n")
        block = self._tidy(complete) + b"\n" if newline else b""
        if len(self._tail) > self._max:
            self._tail = _overwritten(self._tail)
        if len(self._tail) > self._max:
            block += self._tail[: self._max] + CUT_MARK + b"\n"
            self._tail, self._skipping = b"", True
        return block

    def finish(self) -> bytes:
        """What is left at the end of the output, as a line."""
        block, self._tail = (self._tidy(self._tail) + b"\n" if self._tail else b""), b""
        return block

    def _tidy(self, lines: bytes) -> bytes:
        """Lines as they are passed on. Most need nothing, which is found out without splitting."""
        if b"\r" in lines:
            lines = lines.replace(b"\r\n", b"\n")
        if b"\r" in lines:
            lines = b"\n".join(_overwritten(line) if b"\r" in line else line for line in lines.split(b"\n"))
        if self._all_short(lines):
            return lines
        return b"\n".join(
            line if len(line) <= self._max else line[: self._max] + CUT_MARK for line in lines.split(b"\n")
        )

    def _all_short(self, lines: bytes) -> bool:
        start = 0
        while len(lines) - start > self._max:
            newline = lines.rfind(b"\n", start, start + self._max + 1)
            if newline < 0:
                return False
            start = newline + 1
        return True


def _overwritten(line: bytes) -> bytes:
    """What a terminal would show of a line with carriage returns in it, roughly: the last text written."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def readable(line: bytes) -> str:
    """A line for people and databases: UTF-8, no colours, no control characters (PostgreSQL refuses NUL)."""
    text = line.decode("utf-8", "replace")
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    return text if text.isprintable() else text.translate(_CONTROLS)


def find_verdict(block: bytes) -> str | None:
    """The reason given in the last `PARALLEL_WORKERS_RESULT: no-change-needed <reason>` line of a block, or None."""
    if _VERDICT_MARK not in block:
        return None
    reasons = [readable(found).strip(" \t`*") for found in _VERDICT.findall(block)]
    said = [reason for reason in reasons if not reason.startswith(_PLACEHOLDER)]
    return (said[-1] or "no reason given") if said else None


class OutputDigest:
    """What is kept of the output in memory, and the passing on of lines: counts, last lines, verdict.

    At most `lines_per_second` lines reach `on_line`; a flood of more (an agent that prints a gigabyte) is
    counted, and said in one line. All lines are in the log file, up to its own limit.
    """

    def __init__(self, on_line: LineSink, lines_per_second: int = 5000) -> None:
        self._on_line = on_line
        self._rate = lines_per_second
        self._second = 0
        self._passed = 0
        self._left_out = 0
        self._last: deque[bytes] = deque(maxlen=LAST_LINES)
        self.lines = 0
        self.verdict: str | None = None

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of the output so far, at most 40."""
        return tuple(readable(line) for line in self._last)

    def take(self, block: bytes, now: float) -> None:
        """Take in complete lines; `now` in seconds of any steady clock."""
        if not block:
            return
        count = block.count(b"\n")
        self.lines += count
        self.verdict = find_verdict(block) or self.verdict
        self._last.extend(block[:-1].rsplit(b"\n", LAST_LINES)[-LAST_LINES:])
        if int(now) != self._second:
            self._second, self._passed = int(now), 0
            self.report_left_out()
        passing = min(count, self._rate - self._passed)
        if passing > 0:
            for line in block.split(b"\n", passing)[:passing]:
                self._on_line(readable(line))
            self._passed += passing
        self._left_out += count - passing

    def say(self, message: str) -> None:
        """Add a line of our own; it is passed on however much the agent prints."""
        self.lines += 1
        self._last.append(message.encode())
        self._on_line(message)

    def report_left_out(self) -> None:
        """Say how many lines were not passed on since the last time, if any."""
        if self._left_out:
            self._on_line(f"[parallel-workers] {self._left_out:,} lines of a flood of output are left out here")
            self._left_out = 0


class LineThrottle:
    """A `LineSink` before another one that costs something (Prefect's logs).

    The first `first` lines pass, then at most `per_second` in any second; the rest is counted and said, with
    where the whole output is. That it is not kept there any more always passes, once. Call `close` at the end, for
    the last count.
    """

    def __init__(
        self,
        sink: LineSink,
        log_file: Path,
        *,
        first: int = 200,
        per_second: int = 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink, self._log_file, self._clock = sink, log_file, clock
        self._free, self._per_second = first, per_second
        self._second, self._passed, self._left_out = 0, 0, 0
        self._warned = False

    def __call__(self, line: str) -> None:
        """Pass the line on, or count it."""
        if line.startswith(NOT_KEPT) and not self._warned:
            self._warned = True
            self._sink(line)
            return
        if self._free > 0:
            self._free -= 1
            self._sink(line)
            return
        second = int(self._clock())
        if second != self._second:
            self._second, self._passed = second, 0
        if self._passed < self._per_second:
            self._passed += 1
            self._say_left_out()
            self._sink(line)
        else:
            self._left_out += 1

    def close(self) -> None:
        """Say what was left out at the end."""
        self._say_left_out()

    def _say_left_out(self) -> None:
        if self._left_out:
            where = f"not all of it is in {self._log_file}" if self._warned else f"all output: {self._log_file}"
            self._sink(f"[parallel-workers] {self._left_out:,} lines left out here; {where}")
            self._left_out = 0
