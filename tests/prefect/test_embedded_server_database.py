"""The shipped database: what the installed Prefect makes, whole or absent, and left to Prefect when old."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from deployments import empty_database
from deployments.embedded_server import ServerAddress
from deployments.empty_database import ensure_database, is_current, mark_current, read_sql, sql_version

ROOT = Path(__file__).parents[2]


def load(sql: str) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(sql)
    return connection


def schema(connection: sqlite3.Connection) -> set[tuple[str, str, str, tuple[str, ...]]]:
    """Every table, index, trigger and view with the lines that make it, sorted.

    Prefect's migrations write the constraints of a table in another order each time.
    """
    rows = connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")
    return {
        (kind, name, table, tuple(sorted(line.strip(" \t,") for line in sql.splitlines())))
        for kind, name, table, sql in rows
    }


def block_types(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(
        connection.execute("SELECT t.slug, s.checksum FROM block_schema s JOIN block_type t ON t.id = s.block_type_id")
    )


def test_it_is_what_the_installed_prefect_makes(tmp_path: Path) -> None:
    """Fails when Prefect was updated without `make empty-database`."""
    made_now = tmp_path / "made-now.sql"
    subprocess.run(
        [sys.executable, "-m", "deployments.write_empty_database", str(made_now)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    with closing(load(read_sql())) as shipped, closing(load(made_now.read_text(encoding="utf-8"))) as real:
        assert schema(shipped) == schema(real)
        assert {kind for kind, *_ in schema(shipped)} >= {"table", "index"}
        assert block_types(shipped) == block_types(real)
        migration = "SELECT version_num FROM alembic_version"
        assert shipped.execute(migration).fetchall() == real.execute(migration).fetchall()
    assert sql_version(read_sql()) == version("prefect")


def test_a_loaded_database_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "prefect.db"
    assert ensure_database(file) is True
    with closing(sqlite3.connect(file)) as loaded, closing(load(read_sql())) as expected:
        assert schema(loaded) == schema(expected)
        assert loaded.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert loaded.execute("PRAGMA foreign_key_check").fetchall() == []
    assert is_current(file)
    assert [path.name for path in tmp_path.iterdir()] == ["prefect.db"]


def test_an_existing_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "prefect.db"
    file.write_bytes(b"somebody's runs")
    assert ensure_database(file) is False
    assert file.read_bytes() == b"somebody's runs"


def test_half_a_database_never_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(empty_database, "SQL_NAME", "server_lock.py")  # no SQL: loading it fails
    with pytest.raises(sqlite3.Error):
        ensure_database(tmp_path / "prefect.db")
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_version_is_not_current(tmp_path: Path) -> None:
    file = tmp_path / "prefect.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE flow (id)")
    assert not is_current(file)
    mark_current(file)
    assert is_current(file)


def test_the_server_has_every_block_type_from_the_first_moment(embedded_server: ServerAddress) -> None:
    answer = httpx.post(f"{embedded_server.api_url}/block_types/filter", json={"limit": 200}, timeout=30)
    with closing(load(read_sql())) as shipped:
        assert {entry["slug"] for entry in answer.json()} >= {slug for slug, _ in block_types(shipped)}
