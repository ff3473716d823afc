"""On a terminal `run` shows a live table, and gives the terminal back as it was."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

from tests.e2e.product import WRITE_FILE, Product, write_batch

NOISY = r"printf '\033[31mstep [bold]one[/bold]\033]0;title\007 w\303\266rld\r\n'; sleep 1; " + WRITE_FILE
SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"


def run_on_terminal(product: Product, *arguments: str, columns: int, lines: int, terminal: str) -> tuple[int, str]:
    """Run a command with all three streams on a pseudo-terminal; its exit code and all it wrote."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "parallel_workers.cli.main", *arguments],
        env={**product.environment, "TERM": terminal},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    written = bytearray()
    try:
        while select.select([master], [], [], 90)[0]:
            try:
                written += os.read(master, 65536)
            except OSError:  # EIO: the other side is closed
                break
        return process.wait(10), written.decode()
    finally:
        process.kill()
        process.wait()
        os.close(master)


def visible(text: str) -> str:
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\))", "", text)


def test_live_table(product: Product, make_repository: Callable[..., Path], tmp_path: Path) -> None:
    spec = write_batch(tmp_path / "live.yml", make_repository(), [{"id": "LIVE-1", "shell": NOISY}, {"id": "LIVE-2"}])
    arguments = ("run", str(spec), "--poll-interval", "0.5")
    code, written = run_on_terminal(product, *arguments, columns=100, lines=20, terminal="xterm-256color")
    assert code == 0
    shown = visible(written)
    assert re.search(r"Task\s+Agent\s+State\s+Time\s+PR\s+Last line", shown)
    assert re.search(r"LIVE-1\s+agent-LIVE-1\s+WORKING\s+0:0\d\s+step \[bold\]one\[/bold\] wörld", shown)
    assert "0 of 2 done" in shown
    assert re.search(r"LIVE-1\s+merged", shown)
    assert "title\x07" not in written
    assert not re.search(r"\d\d:\d\d:\d\d LIVE-1 ", shown)  # no plain lines beside the table
    assert written.count(HIDE_CURSOR) == written.count(SHOW_CURSOR) == 1
    assert written.rindex(SHOW_CURSOR) > written.rindex(HIDE_CURSOR)
    assert "2 tasks: 2 merged" in shown


def test_a_terminal_that_can_only_print_gets_plain_lines(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    spec = write_batch(tmp_path / "dumb.yml", make_repository(), [{"id": "DUMB-1"}])
    arguments = ("run", str(spec), "--poll-interval", "0.5")
    code, written = run_on_terminal(product, *arguments, columns=80, lines=24, terminal="dumb")
    assert code == 0
    assert "\x1b" not in written
    assert re.search(r"\d\d:\d\d:\d\d DUMB-1 WORKING", written)
