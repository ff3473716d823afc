"""The embedded server's log stays small and its end can be shown."""

from __future__ import annotations

from pathlib import Path

from deployments import server_log


def test_a_long_log_is_begun_anew_and_its_end_kept(tmp_path: Path) -> None:
    with server_log.log_file(tmp_path).open("a", encoding="utf-8") as log:  # as the server has it open
        log.write("old\n" * 100)
        log.flush()
        assert server_log.trim(tmp_path, max_bytes=100) is True
        log.write("new\n")
    assert server_log.log_file(tmp_path).read_text(encoding="utf-8") == "new\n"
    kept = (tmp_path / "server.log.1").read_text(encoding="utf-8")
    assert len(kept) <= 100
    assert kept.endswith("old\n")


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    server_log.log_file(tmp_path).write_text("short\n", encoding="utf-8")
    assert server_log.trim(tmp_path, max_bytes=100) is False
    assert [path.name for path in tmp_path.iterdir()] == ["server.log"]


def test_no_log_is_nothing_to_trim_or_show(tmp_path: Path) -> None:
    assert server_log.trim(tmp_path) is False
    assert server_log.last_lines(tmp_path) == ()


def test_last_lines_without_blank_ones_and_with_broken_text(tmp_path: Path) -> None:
    server_log.log_file(tmp_path).write_bytes(b"x" * 30_000 + b"\n" + b"one\n\ntwo \xff\n" * 10)
    assert server_log.last_lines(tmp_path, 3) == ("two \ufffd", "one", "two \ufffd")
