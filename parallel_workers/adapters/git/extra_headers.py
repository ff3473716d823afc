"""HTTP headers of the user's beside a credential of ours: all are sent but those that are a login themselves.

actions/checkout leaves the workflow's own token in the config as such a header, and the server would take it for ours.
Others, such as those that a proxy before the server asks for, have to stay.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, Protocol

from parallel_workers.adapters.git.askpass import GitCredential, is_on_server
from parallel_workers.adapters.git.command import GitOutput, run_git
from parallel_workers.adapters.git.hardened import ConfigPairs

_KEYS = r"^http\.(.*\.)?extraheader$"
_LOGIN = "authorization:"


class AsksGit(Protocol):
    """Runs git with the config that the command with the credential will have."""

    def __call__(self, *arguments: str) -> GitOutput: ...


class _Header(NamedTuple):
    """`http.<prefix>.extraHeader` as it is in the config; without a prefix it is for all URLs."""

    prefix: str
    value: str


def without_login(credential: GitCredential | None, url: str, ask: AsksGit) -> ConfigPairs:
    """Config that takes the logins out of the headers git would send to `url`; nothing where there are none.

    One process as a rule, which contacts nobody. Where the URL leads to another server, nothing is changed.
    """
    if credential is None:
        return ()
    listed = ask("config", "-z", "--get-regexp", _KEYS).stdout
    headers = [_parse(entry) for entry in listed.split("\0") if entry]
    if not any(_is_login(header.value) for header in headers):
        return ()
    effective = ask("ls-remote", "--get-url", url).stdout.removesuffix("\n")
    if not is_on_server(effective, credential.server_url):
        return ()
    sent = _find_sent(headers, effective)
    if not any(map(_is_login, sent)):
        return ()
    # no other prefix is as close as the URL itself, and an empty value drops all that came before
    key = f"http.{effective}.extraHeader"
    return ((key, ""), *((key, value) for value in sent if not _is_login(value)))


def _parse(entry: str) -> _Header:
    key, _, value = entry.partition("\n")
    return _Header(key.removeprefix("http.").removesuffix("extraheader").removesuffix("."), value)


def _is_login(value: str) -> bool:
    return value.lstrip().lower().startswith(_LOGIN)


def _find_sent(headers: list[_Header], url: str) -> list[str]:
    """What git would send of them: one for a less close prefix than one before it is not, and an empty one drops all.

    git itself says which, of a text in which each header has a name of its own and follows those before it: what a
    name is found to be is then told by the last that counts.
    """
    lines: list[str] = []
    for number in range(len(headers)):
        lines += (_setting(header.prefix, number, "before") for header in headers[:number])
        lines.append(_setting(headers[number].prefix, number, "itself"))
    arguments = ("config", "--file", "-", "-z", "--get-urlmatch", "http", url)
    found = run_git(Path("/"), *arguments, stdin="".join(lines), env={"GIT_DIR": os.devnull}, accepted=(0, 1))
    counting = frozenset(found.split("\0"))
    sent: list[str] = []
    for number, header in enumerate(headers):
        if f"http.header{number}\nitself" in counting:
            sent = [*sent, header.value] if header.value else []
    return sent


def _setting(prefix: str, number: int, value: str) -> str:
    quoted = prefix.replace("\\", "\\\\").replace('"', '\\"')
    section = f'[http "{quoted}"]' if prefix else "[http]"
    return f"{section}\nheader{number} = {value}\n"
