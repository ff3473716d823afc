"""What git makes of a URL before it goes anywhere."""

from __future__ import annotations

from parallel_workers.adapters.git.opened import OpenedRepository


def effective_url(opened: OpenedRepository, url: str) -> str:
    """The URL after `url.<base>.insteadOf` of the user's and the trusted config; nothing is contacted."""
    return opened.git("ls-remote", "--get-url", url)
