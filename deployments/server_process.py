"""What runs inside the embedded server's own process: `python -m deployments.server_process <server folder>`.

Started by `deployments.embedded_server`; ends on SIGTERM. At most one lives per folder: it holds a lock on it.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deployments import empty_database, server_lock, server_log
from deployments.listening_socket import listen
from deployments.server_address import own_record, remove_record, write_record
from deployments.server_settings import EXIT_OCCUPIED, HOST, PORT_VARIABLE, prefect_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

_SHUTDOWN_SECONDS = 3


def main(arguments: Sequence[str]) -> int:
    """Serve the folder named by the one argument until told to stop."""
    folder = Path(arguments[0])
    if server_lock.acquire(folder) is None:  # let go of by the end of the process
        return EXIT_OCCUPIED
    server_log.begin(folder)
    try:
        listener = listen(HOST, os.environ.get(PORT_VARIABLE, ""), folder / "port")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{PORT_VARIABLE}={os.environ.get(PORT_VARIABLE)}: {error}\n")
        return 1
    try:
        serve(folder, listener)
    finally:
        remove_record(folder, os.getpid())
    return 0


def serve(folder: Path, listener: socket.socket) -> None:
    """Bring Prefect up on the socket, say so in the address file, and serve until told to stop."""
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    database = folder / "prefect.db"
    empty_database.ensure_database(database)
    current = empty_database.is_current(database)
    os.environ.update(prefect_settings(folder, url, current=current))

    # Next to nothing of what is made while importing is garbage. Looking for it costs a second, and what is frozen
    # stays out of every later look (and its memory pages stay as they are).
    gc.disable()
    import uvicorn

    from deployments import immediate_transactions

    immediate_transactions.install()
    from prefect.server.api.server import create_app

    application = create_app()
    show_pull_requests(application, folder.parent / "pulls")

    class AnnouncingServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if not self.should_exit:
                gc.freeze()
                gc.enable()
                if not current:
                    empty_database.mark_current(database)
                write_record(folder, own_record(url))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            remove_record(folder, os.getpid())
            await super().shutdown(sockets)

    AnnouncingServer(
        uvicorn.Config(
            application,
            lifespan="on",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
    ).run([listener])


def show_pull_requests(application: FastAPI, pages: Path) -> None:
    """Show the local forge's pages under `/pulls`: Prefect's UI links to them, and may not link to files."""
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    pages.mkdir(parents=True, exist_ok=True)
    # First, because Prefect's UI answers every path that nobody before it takes.
    application.router.routes.insert(0, Mount("/pulls", StaticFiles(directory=pages), name="pulls"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
