"""One error boundary: what is said, where, and with which exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from parallel_workers.cli.boundary import end_cleanly
from parallel_workers.errors import AgentFailedError, InvalidSpecError, ParallelWorkersError, Problem, UsageError
from parallel_workers.locations import data_folder
from tests.e2e.product import Product


def raising(error: BaseException) -> object:
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AgentFailedError("agent ended 7"), 1),
        (UsageError("no such thing"), 2),
        (InvalidSpecError((Problem("a.yml", 3, "bad", "mend it"),)), 2),
        (ExceptionGroup("two", [AgentFailedError("agent ended 7"), AgentFailedError("other")]), 1),
    ],
)
def test_an_expected_error_is_said_in_its_own_words(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end_cleanly(lambda: raising(error), ()) == code
    out, err = capsys.readouterr()
    first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    assert (out, err) == ("", f"Error: {first}\n")
    assert not data_folder().reports.exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_is_no_error(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert end_cleanly(lambda: raising(error), ()) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


@pytest.mark.parametrize(("answer", "code"), [(None, 0), (0, 0), (1, 1), ("text", 0)])
def test_a_returned_int_is_the_exit_code(answer: object, code: int) -> None:
    assert end_cleanly(lambda: answer, ()) == code


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("sums"), ExceptionGroup("mixed", [UsageError("expected"), ValueError("not expected")])]
)
def test_anything_else_is_reported_to_a_file_without_the_environment(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "a-secret-value")
    assert end_cleanly(lambda: raising(error), ("run", "x.yml")) == 3
    err = capsys.readouterr().err
    (report,) = data_folder().reports.iterdir()
    assert str(report) in err
    assert "Traceback" not in err
    text = report.read_text(encoding="utf-8")
    assert "parallel-workers run x.yml" in text
    assert "Traceback (most recent call last)" in text
    assert str(error) in text
    assert "a-secret-value" not in text
    assert report.stat().st_mode & 0o077 == 0


def test_a_report_that_cannot_be_written_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PARALLEL_WORKERS_HOME", str(tmp_path / "file"))
    assert end_cleanly(lambda: raising(ZeroDivisionError("sums")), ()) == 3
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "could not be written" in err


def test_a_failed_base_class_is_expected_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert end_cleanly(lambda: raising(ParallelWorkersError("so it is")), ()) == 1
    assert capsys.readouterr().err == "Error: so it is\n"


def test_a_reader_that_goes_away_is_no_error(product: Product) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "parallel_workers.cli.main", "schema"]
    ended = subprocess.run(
        command, env=product.environment, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize(
    "arguments",
    [("validate", "nowhere.yml"), ("list", "--state", "ASLEEP"), ("spawn", "--task-id", "A"), ("nonsense",)],
)
def test_wrong_usage_ends_2_and_keeps_stdout_empty(product: Product, arguments: tuple[str, ...]) -> None:
    ended = product.call(*arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "Usage: parallel-workers" in ended.stderr
