"""Smart HTTP: `git http-backend` as CGI, behind basic authentication."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

_PATH = re.compile(
    r"/(?P<owner>[\w.-]+)/(?P<repo>[\w.-]+?)(\.git)?/(?P<rest>info/refs|git-upload-pack|git-receive-pack)"
)


class GitTarget(NamedTuple):
    """What a git client asks for."""

    full_name: str
    rest: str
    is_push: bool


class GitRequest(NamedTuple):
    """A request of a git client, complete."""

    method: str
    query: str
    headers: dict[str, str]
    body: bytes


class RawAnswer(NamedTuple):
    """Status, headers and body, to be sent as they are."""

    status: int
    headers: dict[str, str]
    body: bytes


def find_git_target(path: str, query: str) -> GitTarget | None:
    """The repository and service of a git client's request; None when it is not one."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    is_push = match["rest"] == "git-receive-pack" or "service=git-receive-pack" in query
    return GitTarget(f"{match['owner']}/{match['repo']}", match["rest"], is_push)


def unauthorized() -> RawAnswer:
    """Asks git for user and password."""
    return RawAnswer(401, {"WWW-Authenticate": 'Basic realm="GitHub"'}, b"Authentication required.\n")


def run_backend(repository: Path, target: GitTarget, request: GitRequest, user: str) -> RawAnswer:
    """Let git answer."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PROJECT_ROOT": str(repository),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{target.rest}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
    }
    if user:
        environment["REMOTE_USER"] = user
    done = subprocess.run(
        ["git", "http-backend"], input=request.body, env=environment, cwd=repository, capture_output=True, check=False
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200 OK").split(" ")[0])
    return RawAnswer(status, headers, body)
