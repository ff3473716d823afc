"""The repository's own config is trusted as it was when we opened it, not as an agent left it.

Most of what config can make git run is overridden for each call (hardened.py). Some of it cannot be, because
its names are free (`filter.<name>.clean`) or its values add up (`url.<base>.insteadOf`): there we notice the
change and refuse.
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
    | core\.(sshcommand|askpass|gitproxy|attributesfile|worktree|alternaterefscommand|bare)
    | remote\..*\.(vcs|uploadpack|receivepack|proxy|promisor) | extensions\.(?!worktreeconfig).*
    | diff\..*\.(command|textconv) | merge\..*\.driver | protocol\..* | (uploadpack|receive|transfer)\..*""",
    re.VERBOSE | re.IGNORECASE,
)


def dangerous_settings(listing: str) -> Settings:
    """The settings that run a program or send git elsewhere, from `git config --list -z`: `(key, value)` pairs."""
    pairs = (entry.partition("\n")[::2] for entry in listing.split("\0") if entry)
    return frozenset((key, value) for key, value in pairs if _RUNS_OR_REDIRECTS.fullmatch(key))


class TrustedConfig:
    """Remembers what the shared config said; costs one `stat` per look while the file is untouched."""

    def __init__(self, common_dir: Path) -> None:
        self._file = common_dir / "config"
        # before reading: a change between the two is then seen as a change
        self._seen = {self._file: _signature(self._file)}
        self._settings = _read_settings(self._file)

    def ensure_unchanged(self, git_dir: Path | None = None) -> None:
        """Return if nothing was added that runs programs or redirects; `git_dir` is a linked worktree's own.

        Raises:
            UntrustedConfigError: something was; the message names the keys.
        """
        self._look_at(self._file, self._settings)
        if git_dir is not None and git_dir != self._file.parent:
            self._look_at(git_dir / "config.worktree", frozenset())

    def _look_at(self, file: Path, trusted: Settings) -> None:
        signature = _signature(file)
        if signature == self._seen.get(file):
            return
        self._refuse(file, _read_settings(file) - trusted)
        self._seen[file] = signature

    def _refuse(self, file: Path, added: Settings) -> None:
        if added:
            keys = ", ".join(sorted({key for key, _ in added}))
            raise UntrustedConfigError(
                f"{file} was changed while a worker was at work: {keys}. These settings make git run programs or "
                f"contact other servers, so nothing more is done here. Look at them, and remove what is not yours: "
                f"git config --file '{file}' --unset-all <key>"
            )


def _signature(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read_settings(file: Path) -> Settings:
    if not file.exists():
        return frozenset()
    # as a mere file: in its repository git would first go where a planted core.worktree sends it
    listing = run_git(
        file.parent, "config", "--file", str(file), "--includes", "--list", "-z", env={"GIT_DIR": os.devnull}
    )
    return dangerous_settings(listing)
