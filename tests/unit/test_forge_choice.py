"""Where pull requests are to live, and that it is said why."""

from __future__ import annotations

import pytest

from parallel_workers.decisions.forge_choice import decide_forge
from parallel_workers.errors import UsageError
from parallel_workers.spec import ForgeKind

GITHUB, LOCAL = ForgeKind.GITHUB, ForgeKind.LOCAL


@pytest.mark.parametrize(
    ("asked", "remote", "credentials", "kind", "why"),
    [
        (None, True, True, GITHUB, "the remote is there and credentials are given"),
        (None, True, False, LOCAL, "there are no credentials; set GITHUB_TOKEN"),
        (None, False, True, LOCAL, "its remote is not on GitHub"),
        (None, False, False, LOCAL, "its remote is not on GitHub"),
        (LOCAL, True, True, LOCAL, "forge is local"),
        (LOCAL, False, False, LOCAL, "forge is local"),
        (GITHUB, True, True, GITHUB, "forge is github"),
    ],
)
def test_which_and_why(asked: ForgeKind | None, remote: bool, credentials: bool, kind: ForgeKind, why: str) -> None:  # noqa: FBT001 - a table
    choice = decide_forge(asked, is_github_remote=remote, has_credentials=credentials)
    assert choice.kind is kind
    assert why in choice.reason


@pytest.mark.parametrize(
    ("remote", "credentials", "missing"),
    [(True, False, "credentials: set GITHUB_TOKEN"), (False, True, "a remote on GitHub"), (False, False, "a remote")],
)
def test_github_is_not_replaced_when_it_was_asked_for(remote: bool, credentials: bool, missing: str) -> None:  # noqa: FBT001 - a table
    with pytest.raises(UsageError, match=missing) as caught:
        decide_forge(GITHUB, is_github_remote=remote, has_credentials=credentials)
    assert str(caught.value).endswith("or set `forge: local`")
