"""Every SQLite transaction of the embedded server begins IMMEDIATE; Prefect's internals are as expected."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import sqlalchemy as sa
from prefect.server.database import configurations
from prefect.server.database.configurations import AioSqliteConfiguration

from deployments import immediate_transactions
from deployments.embedded_server import ServerAddress


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put Prefect back as it was when the test is over."""
    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", AioSqliteConfiguration.begin_transaction)
    yield


def test_prefect_is_as_expected() -> None:
    """Fails when Prefect changed underneath: then `deployments/immediate_transactions.py` has to follow."""
    assert immediate_transactions.find_mismatch(configurations) == ""


async def both_read_then_write(file: Path) -> list[BaseException | None]:
    """Two transactions that read, wait for each other as long as may be, then write; the outcome of each."""
    configuration = AioSqliteConfiguration(f"sqlite+aiosqlite:///{file}", timeout=5)
    engine = await configuration.engine()
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE counter (value INTEGER)"))
        await connection.execute(sa.text("INSERT INTO counter VALUES (0)"))
        await connection.commit()
    both_have_read = asyncio.Barrier(2)

    async def count() -> None:
        async with await configuration.session(engine) as session, configuration.begin_transaction(session):
            value = (await session.execute(sa.text("SELECT value FROM counter"))).scalar_one()
            with suppress(TimeoutError, asyncio.BrokenBarrierError):  # the other one was not let in, as it should be
                await asyncio.wait_for(both_have_read.wait(), 0.5)
            await session.execute(sa.text("UPDATE counter SET value = :value"), {"value": value + 1})

    outcomes = await asyncio.gather(count(), count(), return_exceptions=True)
    await engine.dispose()
    return list(outcomes)


async def test_two_that_read_then_write_take_turns(tmp_path: Path, stock: None) -> None:
    assert immediate_transactions.install() is True
    assert await both_read_then_write(tmp_path / "one.db") == [None, None]
    with sqlite3.connect(tmp_path / "one.db") as connection:
        assert connection.execute("SELECT value FROM counter").fetchone() == (2,)


async def test_stock_prefect_refuses_one_of_them(tmp_path: Path) -> None:
    """Why the file exists. Once this fails, Prefect has healed it and the file can go."""
    outcomes = await both_read_then_write(tmp_path / "one.db")
    assert [outcome is None for outcome in outcomes].count(False) == 1
    assert any("database is locked" in str(outcome) for outcome in outcomes)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"SQLITE_BEGIN_MODE": "IMMEDIATE"}, "SQLITE_BEGIN_MODE is no context variable"),
        ({"AioSqliteConfiguration": object}, "begin_transaction is gone"),
        (
            {"AioSqliteConfiguration": SimpleNamespace(begin_transaction=lambda session: session)},
            r"begin_transaction takes \('session',\)",
        ),
    ],
)
def test_a_changed_prefect_is_left_as_it_is(
    changed: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, stock: None
) -> None:
    before = AioSqliteConfiguration.begin_transaction
    for name, value in changed.items():
        monkeypatch.setattr(configurations, name, value)
    with caplog.at_level(logging.WARNING):
        assert immediate_transactions.install() is False
    assert "slower under load" in caplog.text
    assert AioSqliteConfiguration.begin_transaction is before


def test_a_gone_module_content_is_named() -> None:
    empty = cast("ModuleType", SimpleNamespace(SQLITE_BEGIN_MODE=ContextVar("mode", default=None)))
    assert immediate_transactions.find_mismatch(empty) == "AioSqliteConfiguration.begin_transaction is gone"


async def test_a_burst_of_writes_is_never_refused(embedded_server: ServerAddress) -> None:
    # they take turns: 1.2 s in all, and 17 s where the server gets a twentieth of a core; refused they are never
    async with httpx.AsyncClient(base_url=embedded_server.api_url, timeout=None) as client:  # noqa: S113 - pytest has one
        flow = (await client.post("/flows/", json={"name": "burst"})).json()

        async def one_run() -> list[int]:
            created = await client.post("/flow_runs/", json={"flow_id": flow["id"], "state": {"type": "PENDING"}})
            address = f"/flow_runs/{created.json()['id']}/set_state"
            running = await client.post(address, json={"state": {"type": "RUNNING"}, "force": True})
            return [created.status_code, running.status_code]

        codes = await asyncio.gather(*(one_run() for _ in range(20)))
    assert {code for pair in codes for code in pair} <= {200, 201}
