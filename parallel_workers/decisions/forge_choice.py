"""Where pull requests are to live: on GitHub, or in the repository itself."""

from __future__ import annotations

from typing import NamedTuple

from parallel_workers.errors import UsageError
from parallel_workers.spec import ForgeKind

_NO_REMOTE = (
    "forge: github needs a remote on GitHub, and this repository has none: add one with `git remote add origin URL` "
    "(for GitHub Enterprise also set GITHUB_SERVER_URL), or set `forge: local`"
)
_NO_CREDENTIALS = (
    "forge: github needs credentials: set GITHUB_TOKEN or GH_TOKEN where this runs, fill in the forge block, "
    "or set `forge: local`"
)


class ForgeChoice(NamedTuple):
    """The forge, and why it is this one: said where the user sees it."""

    kind: ForgeKind
    reason: str


def decide_forge(asked: ForgeKind | None, *, is_github_remote: bool, has_credentials: bool) -> ForgeChoice:
    """The forge that was asked for; by default github where it can be used, else local.

    In order: local was asked for; github was; the remote is not on GitHub; there are no credentials; else github.

    Raises:
        UsageError: github was asked for and cannot be used; it names the way out.
    """
    if asked is ForgeKind.LOCAL:
        return ForgeChoice(ForgeKind.LOCAL, "pull requests live in the repository itself: forge is local")
    if asked is ForgeKind.GITHUB:
        if not is_github_remote:
            raise UsageError(_NO_REMOTE)
        if not has_credentials:
            raise UsageError(_NO_CREDENTIALS)
        return ForgeChoice(ForgeKind.GITHUB, "pull requests live on GitHub: forge is github")
    if not is_github_remote:
        return ForgeChoice(ForgeKind.LOCAL, "pull requests live in the repository itself: its remote is not on GitHub")
    if not has_credentials:
        return ForgeChoice(
            ForgeKind.LOCAL,
            "pull requests live in the repository itself: its remote is on GitHub, but there are no credentials; "
            "set GITHUB_TOKEN to open them there, or `forge: local` to mean it",
        )
    return ForgeChoice(ForgeKind.GITHUB, "pull requests live on GitHub: the remote is there and credentials are given")
