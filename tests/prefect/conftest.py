"""A real Prefect server for the tests: one per pytest-xdist worker, on a database of its own, gone at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.embedded_server import ServerAddress, begin_server, stop_server
from parallel_workers.locations import DataFolder

# Prefect makes $PREFECT_HOME while it is imported, which happens when pytest collects: before any fixture.
_home_while_collecting = tempfile.TemporaryDirectory(prefix="parallel-workers-tests-")
os.environ["PREFECT_HOME"] = _home_while_collecting.name
os.environ.pop("PREFECT_API_URL", None)


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAddress]:
    """The address of an embedded server in a folder under tmp. Started once; no Prefect setting points to it yet."""
    folder = DataFolder(tmp_path_factory.mktemp("embedded-server"))
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith(("PREFECT_", "PARALLEL_WORKERS_"))]:
            environment.delenv(name)
        environment.setenv("PREFECT_HOME", str(folder.root / "client"))
        address = begin_server(folder).wait_ready()
    try:
        yield address
    finally:
        try:
            _send_what_waits()
        finally:
            assert stop_server(folder)


@pytest.fixture
def prefect_server(
    embedded_server: ServerAddress, isolated_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServerAddress]:
    """The embedded server, with this process (and what it starts) set to use it; Prefect's files under the test's HOME.

    The server is shared by the tests of one pytest-xdist worker: look for your own flow runs, not for all of them.
    """
    import prefect.context

    home = isolated_environment / ".prefect"
    monkeypatch.setenv("PREFECT_API_URL", embedded_server.api_url)
    monkeypatch.setenv("PREFECT_HOME", str(home))
    monkeypatch.setenv("PREFECT_LOCAL_STORAGE_PATH", str(home / "storage"))
    # Not temporary_settings: those hold in one context, and Prefect sends logs and events from threads of its own.
    prefect.context.refresh_global_settings_context()
    try:
        yield embedded_server
    finally:
        monkeypatch.delenv("PREFECT_API_URL")
        prefect.context.refresh_global_settings_context()


def _send_what_waits() -> None:
    """Prefect sends logs and events from threads; without their server these would retry until pytest gives up."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=5)
    EventsWorker.drain_all(timeout=5)
