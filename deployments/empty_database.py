"""Gives a fresh embedded server its database in milliseconds.

On an empty SQLite file Prefect's migrations take ten seconds and more, and the registration of its block types two.
What they leave is shipped as SQL (`empty_database.sql`, see the note beside it) and loaded instead. The database says
which Prefect version it is from: with the same one installed the server skips both steps, with any other Prefect goes
on from there by itself.

`python -m deployments.empty_database` writes the file anew, with the installed Prefect (`make empty-database`).
"""

from __future__ import annotations

import os
import re
import sqlite3
import zlib
from contextlib import closing
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

SQL_NAME = "empty_database.sql"


def ensure_database(file: Path) -> bool:
    """Make the database unless it exists. True when made. Whole or not at all: it appears by a rename."""
    if file.exists():
        return False
    sql = read_sql()
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(draft)) as connection:
            # The draft is thrown away when anything goes wrong, so nothing has to survive a power cut here.
            connection.executescript(f"PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;\n{sql}")
            _set_mark(connection, sql_version(sql))
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return True


def is_current(file: Path) -> bool:
    """Whether the installed Prefect finds nothing to migrate or register in this database."""
    with closing(sqlite3.connect(file)) as connection:
        found: tuple[int] = connection.execute("PRAGMA user_version").fetchone()
    return found[0] == _mark(version("prefect"))


def mark_current(file: Path) -> None:
    """Note that the installed Prefect has migrated the database and registered its block types."""
    with closing(sqlite3.connect(file)) as connection:
        _set_mark(connection, version("prefect"))


def read_sql() -> str:
    """The shipped SQL."""
    return files("deployments").joinpath(SQL_NAME).read_text(encoding="utf-8")


def sql_version(sql: str) -> str:
    """The Prefect version that SQL text was written with, from its first line; '' when it does not say."""
    found = re.match(r"-- Prefect (\S+)", sql)
    return found[1] if found else ""


def _mark(prefect_version: str) -> int:
    """What stands for a version in SQLite's `user_version`, a signed 32-bit number that Prefect does not use."""
    return zlib.crc32(prefect_version.encode()) & 0x7FFFFFFF


def _set_mark(connection: sqlite3.Connection, prefect_version: str) -> None:
    connection.execute(f"PRAGMA user_version = {_mark(prefect_version)}")
