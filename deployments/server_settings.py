"""The embedded server's process: what it may inherit from whoever starts it, Prefect's settings for it, exit codes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

HOST = "127.0.0.1"
PORT_VARIABLE = "PARALLEL_WORKERS_SERVER_PORT"

EXIT_OCCUPIED = 75
"""The server's process ends so when another one serves its folder already."""

_INHERITED = frozenset({"HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER", PORT_VARIABLE})
_INHERITED_PREFIXES = ("LC_", "PREFECT_SERVER_")
"""A user may tune the server with Prefect's own variables; ours are set over them."""


def process_environment(environment: Mapping[str, str], python_path: Path) -> dict[str, str]:
    """What the server's process is started with: nothing secret, and `python_path` to find this package."""
    inherited = {
        name: value for name, value in environment.items() if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }
    return inherited | {
        "PYTHONPATH": str(python_path),
        # glibc gives each thread an arena of its own; a server with a thread per database connection pays for that.
        "MALLOC_ARENA_MAX": "2",
    }


def prefect_settings(folder: Path, url: str, *, current: bool) -> dict[str, str]:
    """Prefect's settings for a server on `folder` that is reached at `url`.

    `current`: the installed Prefect finds nothing to migrate or register, so it need not look.
    """
    first_steps = "false" if current else "true"
    return _pages_folder(folder) | {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_PROFILES_PATH": str(folder / "prefect" / "profiles.toml"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": first_steps,
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": first_steps,
        # Its memo would skip the registration that a database from elsewhere may need.
        "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
        # Slots are counted in the database; with leases in memory those that are held at a restart never come back.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_COLORS": "false",
    }


def _pages_folder(folder: Path) -> dict[str, str]:
    """Prefect unpacks its UI into its own installation; where we may not write there, into our folder instead."""
    prefect = find_spec("prefect")
    installation = Path(prefect.origin or "").parent / "server" if prefect else folder
    return {} if os.access(installation, os.W_OK) else {"PREFECT_SERVER_UI_STATIC_DIRECTORY": str(folder / "ui")}
