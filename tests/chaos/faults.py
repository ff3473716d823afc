"""`make chaos`: the faults of docs/faults.md caused for real, as a table of what came of each and what was said."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

AWAY_VARIABLE = "PARALLEL_WORKERS_SERVER_AWAY_SECONDS"
"""Read when `test_server_away` is imported, so it has to be set before that."""

_TESTS = Path(__file__).resolve().parents[1]
_SUITES = (
    _TESTS / "prefect" / "test_faults_of_agents.py",
    _TESTS / "prefect" / "test_faults_of_places.py",
    _TESTS / "git" / "test_full_disk.py",
    _TESTS / "chaos" / "test_root_without_permission.py",
    _TESTS / "chaos" / "test_clock_set.py",
    _TESTS / "chaos" / "test_server_away.py",
)
_AWAY_SECONDS = 60
_ROW = "{:<46} {:<26} {}\n"


class _Table:
    """Collects what the tests have told with `tell_fault`, as a plugin of pytest."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of a test has ended."""
        if report.when == "call":
            self.rows += [told for name, told in report.user_properties if name == "fault"]  # type: ignore[misc]
        if report.skipped:
            self.rows.append((report.nodeid.rpartition("::")[2], "skipped", "see above"))


def main() -> int:
    """Run the tests with a server that is away for a minute, then print; 1 when a test failed."""
    os.environ.setdefault(AWAY_VARIABLE, str(_AWAY_SECONDS))
    table = _Table()
    code = pytest.main(["-q", "-rs", "-p", "no:cacheprovider", *map(str, _SUITES)], plugins=[table])
    sys.stdout.write("\n" + _ROW.format("fault", "outcome", "message"))
    for fault, outcome, message in table.rows:
        sys.stdout.write(_ROW.format(fault, outcome, " ".join(message.split())[:200]))
    return int(code != pytest.ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
