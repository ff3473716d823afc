"""What can be told of the Prefect server without Prefect: whether it answers, whose it is, how large its database."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from deployments import server_lock
from deployments.configured_server import find_configured_server
from deployments.server_address import ServerRecord, address_file, find_process, is_healthy, read_record
from parallel_workers.health import DatabaseFacts, ServerFacts
from parallel_workers.locations import DataFolder

_TIMEOUT_SECONDS = 5.0
_QUICK_CHECK_BYTES = 200 << 20
"""SQLite reads a whole file to check it: some 0.2 s for so many bytes."""


def look_at_server(data: DataFolder, environment: Mapping[str, str] | None = None) -> ServerFacts:
    """The configured server, else the embedded one of this data folder; starts nothing."""
    environment = os.environ if environment is None else environment
    configured = find_configured_server(environment)
    own = _own_record(data.server)
    here = own is not None and find_process(own) is not None
    client = version("prefect")
    if configured:
        ours = here and own is not None and configured == own.address().api_url
        facts = ServerFacts(configured, configured=True, ours=ours, local=_is_local(configured), client_version=client)
        return _asked(facts, environment)
    if not here or own is None:
        return ServerFacts(client_version=client)
    if not own.url:
        return ServerFacts(pid=own.pid, client_version=client, trouble="it is still on its way; try again")
    facts = ServerFacts(own.address().api_url, ours=True, pid=own.pid, client_version=client)
    if not is_healthy(own.url):
        return facts._replace(trouble=f"process {own.pid} says nothing at {own.url}")
    return _asked(facts, environment)


def _own_record(server_folder: Path) -> ServerRecord | None:
    return read_record(address_file(server_folder)) or server_lock.find_holder(server_folder)


def _asked(facts: ServerFacts, environment: Mapping[str, str]) -> ServerFacts:
    """With what the server says of itself; a refusal for want of a password is an answer, too."""
    parts = urlsplit(facts.api_url)
    try:
        status, body = _get(parts, f"{parts.path}/health", environment)
        if status not in {http.client.OK, http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
            return facts._replace(trouble=f"it answers {status}, as no Prefect server does")
        status, body = _get(parts, f"{parts.path}/admin/version", environment)
        said = json.loads(body) if status == http.client.OK else ""
    except (OSError, http.client.HTTPException, ValueError) as error:
        return facts._replace(trouble=str(error) or type(error).__name__)
    return facts._replace(version=said if isinstance(said, str) else "")


def _get(parts: SplitResult, path: str, environment: Mapping[str, str]) -> tuple[int, bytes]:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    with closing(connection):
        connection.request("GET", path, headers=_authorization(environment))
        answer = connection.getresponse()
        return answer.status, answer.read(10_000)


def _authorization(environment: Mapping[str, str]) -> dict[str, str]:
    """As Prefect's client does it (https://docs.prefect.io/v3/advanced/security-settings)."""
    if password := environment.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(password.encode()).decode()}"}
    key = environment.get("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _is_local(api_url: str) -> bool:
    host = urlsplit(api_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def look_at_database(data: DataFolder, *, running: bool) -> DatabaseFacts | None:
    """The embedded server's database; None when there is none. Not read while the server runs, nor when it is huge."""
    path = data.server / "prefect.db"
    files = [file for name in ("prefect.db", "prefect.db-wal") if (file := data.server / name).is_file()]
    if path not in files:
        return None
    size = sum(file.stat().st_size for file in files)
    trouble = "" if running or size > _QUICK_CHECK_BYTES else _find_damage(path)
    return DatabaseFacts(path, size, trouble)


def _find_damage(path: Path) -> str:
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if said == "ok" else " ".join(str(said).split())
