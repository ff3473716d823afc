"""Writes `empty_database.sql` anew with the installed Prefect: `python -m deployments.write_empty_database [FILE]`.

It runs Prefect's real migrations and block registration on an empty database and dumps what they leave.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from deployments.empty_database import SQL_NAME


def main(arguments: Sequence[str]) -> None:
    """Write to the file named, or in place. Only for a process of its own: it sets Prefect's environment."""
    target = Path(arguments[0]) if arguments else Path(__file__).with_name(SQL_NAME)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.db"
        os.environ["PREFECT_HOME"] = folder
        os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{file}"
        asyncio.run(_fill())
        target.write_text(f"-- Prefect {version('prefect')}\n{dump(file)}", encoding="utf-8")


def dump(file: Path) -> str:
    """The database as SQL text, in sqlite's own order."""
    with closing(sqlite3.connect(file)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


async def _fill() -> None:
    """What Prefect does when a server starts on a database of its own."""
    from prefect.server.database import provide_database_interface
    from prefect.server.models.block_registration import run_block_auto_registration

    database = provide_database_interface()
    await database.create_db()
    async with await database.session() as session:
        await run_block_auto_registration(session=session)
    await (await database.engine()).dispose()


if __name__ == "__main__":
    main(sys.argv[1:])
