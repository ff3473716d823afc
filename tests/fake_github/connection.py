"""One connection of a client: reads requests, sends answers, and breaks off where a fault says so."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tests.fake_github.git_http import RawAnswer

if TYPE_CHECKING:
    from tests.fake_github.server import FakeGitHub


DECLARED_LENGTH = "x-fake-declared-length"
"""A header that is not sent: the Content-Length to tell instead of the true one."""
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class BrokenOff(Exception):  # noqa: N818 (not an error: a fault that was asked for)
    """The connection is to be broken; `reset` says how."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.is_reset = how == "reset"


class Connection(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 with keep-alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def _serve(self) -> None:
        body = self._read_body()
        headers = {name.lower(): text for name, text in self.headers.items()}
        try:
            answer = self.server.github.answer(self.command, self.path, headers, body)
        except BrokenOff as broken:
            self._break_off(broken)
            return
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815 (the base class finds them by these names)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, answer: RawAnswer) -> None:
        headers = dict(answer.headers)
        declared = headers.pop(DECLARED_LENGTH, str(len(answer.body)))
        if answer.status not in {204, 304}:
            headers["Content-Length"] = declared
        lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        # One write for headers and body: two small ones would wait for the client's delayed acknowledgement.
        self.wfile.write(head + (b"" if self.command == "HEAD" else answer.body))
        if declared != str(len(answer.body)):
            self.close_connection = True

    def _break_off(self, broken: BrokenOff) -> None:
        self.close_connection = True
        if broken.is_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def finish(self) -> None:
        """A connection that was reset cannot be flushed any more."""
        if self.connection.fileno() != -1:
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        """Requests are recorded, not printed."""


class Listener(ThreadingHTTPServer):
    """A free port of the loopback interface; knows its connections, so that it can end them all."""

    daemon_threads = False
    request_queue_size = 256

    def __init__(self, github: FakeGitHub, tls: ssl.SSLContext | None) -> None:
        self.github = github
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Connection)
        if tls is not None:
            # The handshake is left to the connection's own thread: a slow client holds up no one.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """See socketserver."""
        if isinstance(request, socket.socket):
            with self._open_lock:
                self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """See socketserver."""
        if isinstance(request, socket.socket):
            with self._open_lock:
                self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the server."""

    def end_connections(self) -> None:
        """Break what is still open: clients keep connections for later."""
        with self._open_lock:
            for one in self._open:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
