"""The host's credentials for forges: from the block on the Prefect server, else from the environment of this process.

They stay in this process. They are in no parameter, label, log or artifact, and in no environment that agents get.
"""

from __future__ import annotations

import os

from blocks.forge import GitHubForge
from flows.asked_once import AskedOnce
from parallel_workers.adapters.github.connections import issued_tokens
from parallel_workers.adapters.github.credentials import GitHubCredentials, GivenValues, find_credentials
from parallel_workers.errors import UsageError
from parallel_workers.plain_text import clean_text
from parallel_workers.redaction import redact

_block: GitHubForge | None = None
_loading: AskedOnce[GitHubForge] = AskedOnce()


async def load_credentials() -> None:
    """Read the block, once per process and server; to be awaited before a forge is opened. Without it, the environment.

    Raises:
        UsageError: what is saved does not fit.
    """
    global _block  # noqa: PLW0603 - one per process, as the workplaces that are opened with it
    _block = await _loading.get(os.environ.get("PREFECT_API_URL"), GitHubForge.load_or_default)


async def renew_credentials() -> bool:
    """Read the block once more, after the forge refused what it held; whether it holds something else now.

    Raises:
        UsageError: what is saved does not fit; what was read before stays.
    """
    global _block, _loading
    before, loading = github_credentials(), AskedOnce[GitHubForge]()
    block = await loading.get(os.environ.get("PREFECT_API_URL"), GitHubForge.load_or_default)
    now = _credentials_of(block)
    _block, _loading = block, loading
    return now != before


def github_credentials() -> GitHubCredentials | None:
    """The credentials for GitHub; None when there are none.

    Raises:
        UsageError: an address is not usable, or only half of an App is given.
    """
    return _credentials_of(_block)


def _credentials_of(block: GitHubForge | None) -> GitHubCredentials | None:
    if block is not None:
        return block.to_credentials()
    return find_credentials(GivenValues(), os.environ)


def secret_values() -> tuple[str, ...]:
    """Values that nothing may show which leaves this process."""
    credentials = github_credentials()
    if credentials is None:
        return ()
    if credentials.app is not None:
        return credentials.app.private_key.get_secret_value(), *issued_tokens()
    return (credentials.token.get_secret_value(),) if credentials.token is not None else ()


def without_secrets(text: str) -> str:
    """Words of agents, programs and other people as they may leave this process: in states, events and logs."""
    try:
        known = secret_values()
    except UsageError:  # credentials that do not fit may be what is told of
        known = ()
    return clean_text(redact(text, known))
