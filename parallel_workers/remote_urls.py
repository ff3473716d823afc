"""What a remote's URL says, and what of it nobody but git may see. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

# the path of a file: URL may hold @, ? and #, and there is nobody to log in to
_SCHEME = r"(?<![a-z0-9+.-])(?!file:)[a-z][a-z0-9+.-]*://"
# user and password end at the last @ before path, query or fragment: a password may hold an @ of its own
_USER_INFO = re.compile(rf"({_SCHEME})[^/?#\s]*@", re.IGNORECASE)
# a / or ? in a password that nobody encoded: what looks like a port then is none, and the rest may be secret
_NO_PORT = re.compile(rf"({_SCHEME})[^/?#@:\[\s]*:(?!\d*[/?#])[^/?#@\s]*[/?#]\S*@", re.IGNORECASE)
# as far as the white space or the end, less the punctuation of the sentence around
_QUERY = re.compile(rf"({_SCHEME}[^\s?#]*)[?#]\S*?(?=['\":,.;)]*(?:\s|$))", re.IGNORECASE)
_SCP_LIKE = re.compile(r"(?:[^/@\s]+@)?(?P<host>\[[0-9a-f:]+\]|[^/:@\s]+):(?!//)/*(?P<path>.*)", re.IGNORECASE)
_USUAL_PORTS = {"https": 443, "http": 80}
_URL = re.compile(rf"({_SCHEME})(?:[^/?#]*@)?([^?#]*).*", re.IGNORECASE | re.DOTALL)


def without_credentials(url: str) -> str:
    """The URL less user, password, query and fragment; an scp-like `git@host:path` names a user, no secret."""
    return _URL.sub(r"\1\2", _NO_PORT.sub(r"\1", url))


def name_place(url: str) -> str:
    """What a remote's URL leads to, however it is reached: `host/path`, the same for https, ssh and `user@host:path`.

    User, password, query, `.git` and the usual port are left out; a port of ssh says nothing about the repository.
    """
    scp_like = None if "://" in url else _SCP_LIKE.fullmatch(url)
    if scp_like is not None:
        host, path = scp_like["host"], scp_like["path"]
    else:
        bare = without_credentials(url)
        try:
            parts = urlsplit(bare)
            port = parts.port
        except ValueError:
            return bare
        if not parts.hostname:
            return bare
        own_port = port if parts.scheme in _USUAL_PORTS and port != _USUAL_PORTS[parts.scheme] else None
        host, path = f"{parts.hostname}:{own_port}" if own_port else parts.hostname, parts.path
    return f"{host.lower()}/{path.strip('/').removesuffix('.git')}"


def redact_urls(text: str) -> str:
    """The text with every URL in it less user, password, query and fragment."""
    return _QUERY.sub(r"\1", redact_user_info(text)) if "://" in text else text


def redact_user_info(text: str) -> str:
    """The text with every URL in it less user and password; links stay good."""
    if "://" not in text:
        return text
    for secret in (_NO_PORT, _USER_INFO):
        text = secret.sub(r"\1", text)
    return text


def local_path(url: str) -> Path | None:
    """The path a remote's URL names on this machine; None for `scheme://` and `host:path`."""
    if url.startswith("file://"):
        return Path(unquote(url.removeprefix("file://")))
    if "://" in url or re.match(r"[^/]*:", url):
        return None
    return Path(url)
