"""A credential for one git command: git asks our tiny program, which reads the secret from a pipe of that process.

So it is in no URL, no argument list, no environment and no file. The program answers for one server only: git asks
for another after a redirect, or when a submodule or `insteadOf` leads elsewhere.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit, urlunsplit

from parallel_workers.adapters.git.hardened import ConfigPairs

USER = "x-access-token"
"""What GitHub takes as user beside any kind of token."""

_PROGRAM = Path(__file__).with_name("askpass.sh")
_USUAL_PORTS = {"https": 443, "http": 80}
_PIPE_HOLDS = 4096
_COPIES_MOST = 8
"""git asks once for each connection that it opens, and each question takes one copy out of the pipe."""


class GitCredential(Protocol):
    """A password for one server. Read anew for each command: some live for an hour only."""

    @property
    def server_url(self) -> str:
        """`https://host[:port]`: it is given to this server and to no other."""
        ...

    def fetch_secret(self) -> str:
        """The password of the moment. Raises ForgeError when none is to be had."""
        ...


class Answering(NamedTuple):
    """What one git command needs to be answered: no value in it is secret."""

    environment: dict[str, str]
    config: ConfigPairs
    inherited_fds: tuple[int, ...]


@contextmanager
def answering(credential: GitCredential | None) -> Iterator[Answering]:
    """Within: a git command started with this is given the credential when its server asks for one.

    Raises:
        ForgeError: no credential is to be had.
    """
    if credential is None:
        yield Answering({}, (), ())
        return
    secret = credential.fetch_secret().encode()
    read_end, write_end = os.pipe()
    try:
        copies = max(1, min(_COPIES_MOST, _PIPE_HOLDS // (len(secret) + 1)))
        os.write(write_end, (secret + b"\n") * copies)
        os.close(write_end)
        with _executable() as program:
            environment = {
                "GIT_ASKPASS": str(program),
                "PARALLEL_WORKERS_ASKPASS_FD": str(read_end),
                "PARALLEL_WORKERS_ASKPASS_SERVER": _server(credential.server_url),
                "PARALLEL_WORKERS_ASKPASS_USER": USER,
            }
            config = (
                # an empty helper drops all that are configured: they would be asked first, and told to remember ours
                ("credential.helper", ""),
                ("credential.useHttpPath", "false"),
            )
            yield Answering(environment, config, (read_end,))
    finally:
        os.close(read_end)


@contextmanager
def _executable() -> Iterator[Path]:
    """The program; as a copy where the installation lost the bit that lets it run."""
    if os.access(_PROGRAM, os.X_OK):
        yield _PROGRAM
        return
    with tempfile.TemporaryDirectory(prefix="parallel-workers-askpass-") as folder:
        copy = Path(folder) / _PROGRAM.name
        shutil.copyfile(_PROGRAM, copy)
        copy.chmod(0o700)
        yield copy


def login_url(url: str, server_url: str) -> str:
    """The URL as git has to be given it to ask for the credential as we expect: what is not on its server stays.

    git puts a user, capitals and the usual port of a URL into its question, and then none of ours is the answer.
    """
    if not is_on_server(url, server_url):
        return url
    parts = urlsplit(url)
    return urlunsplit((*_server(url).split("://"), parts.path, parts.query, ""))


def is_on_server(url: str, server_url: str) -> bool:
    """Whether git would ask for a credential of that server when it contacts `url`."""
    try:
        return _server(url) == _server(server_url)
    except ValueError:
        return False


def _server(url: str) -> str:
    """`https://host[:port]`, in lower case and without the usual port: so git writes it in its question."""
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in {None, _USUAL_PORTS.get(scheme)} else f":{parts.port}"
    return f"{scheme}://{host}{port}"
