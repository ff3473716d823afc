"""Data comes out as JSON values and as columns that can be cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_workers.cli.output import format_plain, print_fields, print_json, print_table, to_plain
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import WorkerRecord
from parallel_workers.spec import Gate
from parallel_workers.worktrees import Worktree

RECORD = WorkerRecord(
    "worker-1", "T", WorkerState.WORKING, "r", "a", "b", "main", "/w", None, None, "run", "c", "then", "now"
)


def test_values_become_plain_json() -> None:
    assert to_plain(Worktree(Path("/w"), "sha", None)) == {
        "path": "/w",
        "head_sha": "sha",
        "branch": None,
        "locked": False,
        "prunable": False,
        "worker": None,
    }
    assert to_plain((WorkerState.MERGED, 1, True, None)) == ["MERGED", 1, True, None]
    assert to_plain({"gate": Gate(name="n", run="true")})["gate"]["run"] == "true"


def test_a_worker_record_keeps_its_keys() -> None:
    assert list(to_plain(RECORD))[:14] == [
        "worker_id", "task_id", "state", "reason", "agent", "branch", "base_branch", "worktree", "pr_number", "pr_url",
        "flow_run_id", "correlation_id", "created_at", "updated_at",
    ]  # fmt: skip


def test_columns_are_aligned_and_never_empty() -> None:
    assert format_plain(("Task", "PR"), [("A", ""), ("TASK-002", "#1")]) == "TASK      PR\nA         -\nTASK-002  #1"


def test_an_empty_table_is_said_on_stderr_only(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("Task",), [], "Nothing.")
    assert capsys.readouterr() == ("", "Nothing.\n")


def test_cells_cannot_break_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("Task",), [("a\nb\x1b[2J",)], "")
    assert capsys.readouterr().out == "TASK\na b\n"


def test_fields_leave_out_what_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields({"branch": "b", "head": None, "reason": "", "ahead": 0})
    assert capsys.readouterr().out == "branch:  b\nahead:   0\n"


def test_json_is_ascii_so_that_every_locale_can_print_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "wörld \udcff"})
    assert capsys.readouterr().out.isascii()
