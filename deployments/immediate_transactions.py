"""Makes Prefect's SQLite server begin every transaction IMMEDIATE. The one file that knows Prefect's internals.

Stock Prefect begins most transactions DEFERRED, reads, then writes. Two of those at once end in SQLITE_BUSY at the
moment the second one wants to write: SQLite cannot heal that by waiting (https://www.sqlite.org/lang_transaction.html),
so the server answers 503 and the client backs off for 2, 4, 8 … seconds. A transaction that takes the write lock at
its BEGIN waits for its turn instead. Ten five-task runs at once: 15 s stock, under 2 s with this.

Only writers are touched: Prefect reads outside of transactions, and in WAL mode readers never wait.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

_log = logging.getLogger(__name__)

_EXPECTED_PARAMETERS = ("self", "session", "with_for_update")


def install() -> bool:
    """Patch this process's Prefect. True when done.

    When Prefect has changed underneath, it logs what is missing and answers False: the server then works as stock
    Prefect does, only slower when many runs are at work at once.
    """
    from prefect.server.database import configurations

    missing = find_mismatch(configurations)
    if missing:
        _log.warning("SQLite transactions stay as Prefect begins them (slower under load): %s", missing)
        return False
    configuration = configurations.AioSqliteConfiguration
    configuration.begin_transaction = _immediate(configurations.SQLITE_BEGIN_MODE)  # type: ignore[method-assign]
    return True


def find_mismatch(configurations: ModuleType) -> str:
    """What in `prefect.server.database.configurations` is not as this file expects; '' when all is."""
    mode = getattr(configurations, "SQLITE_BEGIN_MODE", None)
    if not isinstance(mode, ContextVar):
        return "SQLITE_BEGIN_MODE is no context variable"
    configuration = getattr(configurations, "AioSqliteConfiguration", None)
    for method, parameters in (
        ("begin_transaction", _EXPECTED_PARAMETERS),
        ("begin_sqlite_stmt", ("self", "conn")),
    ):
        function = getattr(configuration, method, None)
        if function is None:
            return f"AioSqliteConfiguration.{method} is gone"
        found = tuple(inspect.signature(function).parameters)
        if found != parameters:
            return f"AioSqliteConfiguration.{method} takes {found}"
    return ""


def _immediate(mode: ContextVar[str | None]) -> Callable[..., Any]:
    """Prefect's own `begin_transaction`, with the mode no longer a choice."""

    @asynccontextmanager
    async def begin_transaction(_self: Any, session: Any, with_for_update: bool = False) -> AsyncGenerator[Any, None]:  # noqa: ARG001, FBT001, FBT002 - Prefect's signature
        token = mode.set("IMMEDIATE")
        try:
            async with session.begin() as transaction:
                yield transaction
        finally:
            mode.reset(token)

    return begin_transaction
