"""The repository's own config is trusted as it was when we opened it, not as an agent left it.

Most of what config can make git run is overridden for each call (hardened.py). Some of it cannot be, because
its names are free (`filter.<name>.clean`) or its values add up (`url.<base>.insteadOf`): there we notice the
change and refuse. So we do with `info/attributes`, which says what files a filter or driver is for.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from parallel_workers.adapters.git.command import run_git
from parallel_workers.errors import UntrustedConfigError

Settings = frozenset[tuple[str, str]]

_RUNS_OR_REDIRECTS = re.compile(
    r"""filter\..* | credential\..* | url\..* | http\..* | include\..* | includeif\..* | ssh\..* | gpg\..*
    | core\.(sshcommand|askpass|gitproxy|attributesfile|excludesfile|worktree|alternaterefscommand|bare)
    | remote\..*\.(vcs|uploadpack|receivepack|proxy|promisor) | extensions\.(?!worktreeconfig).* | hook\..*
    | diff\..*\.(command|textconv) | merge\..*\.driver | protocol\..* | (uploadpack|receive|transfer)\..*""",
    re.VERBOSE | re.IGNORECASE,
)


def dangerous_settings(listing: str) -> Settings:
    """The settings that run a program, send git elsewhere or hide files from it, as `(key, value)` pairs.

    `listing` is what `git config --list -z` said.
    """
    pairs = (entry.partition("\n")[::2] for entry in listing.split("\0") if entry)
    return frozenset((key, value) for key, value in pairs if _RUNS_OR_REDIRECTS.fullmatch(key))


class TrustedConfig:
    """Remembers what the shared config said; costs one `stat` per file and look while they are untouched.

    One is made whenever a repository is opened, by whatever adapter. No process is started before a file changed.
    """

    def __init__(self, common_dir: Path) -> None:
        self._common_dir = common_dir
        # the second is read for the main checkout once `extensions.worktreeConfig` is set
        self._configs = (common_dir / "config", common_dir / "config.worktree")
        self._attributes = common_dir / "info" / "attributes"
        files = (*self._configs, self._attributes)
        # before reading: a change between the two is then seen as a change
        self._seen = {file: _signature(file) for file in files}
        self._texts = {file: read_config(file) for file in files}

    def ensure_unchanged(self, git_dir: Path | None = None) -> None:
        """Return if nothing was added that runs programs, redirects or hides files.

        `git_dir` is a linked worktree's own.

        Raises:
            UntrustedConfigError: something was; the message names the keys, or the attributes file.
        """
        for file in (*self._configs, self._attributes):
            self._look_at(file)
        if git_dir is not None and git_dir != self._common_dir:
            self._look_at(git_dir / "config.worktree")

    def _look_at(self, file: Path) -> None:
        signature = _signature(file)
        if signature == self._seen.get(file):
            return
        text = read_config(file)
        if file == self._attributes:
            _refuse_attributes(file, self._texts[file], text)
        elif text != self._texts.get(file, b""):
            # git itself moves settings from the first to the second; a linked worktree may not repeat them
            known = self._configs if file in self._configs else ()
            trusted: Settings = frozenset().union(*(parse_settings(self._texts[config]) for config in known))
            _refuse_settings(file, parse_settings(text) - trusted)
        self._seen[file] = signature


def _refuse_settings(file: Path, added: Settings) -> None:
    if added:
        keys = ", ".join(sorted({key for key, _ in added}))
        raise UntrustedConfigError(
            f"{file} was changed while a worker was at work: {keys}. These settings make git run programs, "
            f"contact other servers or overlook files, so nothing more is done here. Look at them, and remove what is "
            f"not yours: git config --file '{file}' --unset-all <key>"
        )


def _refuse_attributes(file: Path, trusted: bytes, text: bytes) -> None:
    if attribute_lines(text) != attribute_lines(trusted):
        raise UntrustedConfigError(
            f"{file} was changed while a worker was at work. It says which filters and merge drivers git runs on "
            f"which files, so nothing more is done here. Look at it, and put it back as it was"
        )


def attribute_lines(text: bytes) -> tuple[bytes, ...]:
    """The lines that say something; their order counts."""
    return tuple(line for line in map(bytes.strip, text.splitlines()) if line and not line.startswith(b"#"))


def _signature(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def read_config(file: Path) -> bytes:
    """What a config or attributes file says; nothing when there is none."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def parse_settings(text: bytes) -> Settings:
    """The dangerous settings of a config file's text; what it includes is not read.

    Raises:
        GitCommandError: it is no config.
    """
    if not text:
        return frozenset()
    # as a mere text: in its repository git would first go where a planted core.worktree sends it
    arguments = ("config", "--file", "-", "--no-includes", "--list", "-z")
    return dangerous_settings(run_git(Path("/"), *arguments, stdin=text, env={"GIT_DIR": os.devnull}))
