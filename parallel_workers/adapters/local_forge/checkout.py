"""Bringing checkouts of a base branch along when the branch moves, as git's `updateInstead` does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from parallel_workers.adapters.git.layout import find_linked
from parallel_workers.adapters.local_forge.host import Checkout, Host
from parallel_workers.errors import ForgeError, GitCommandError

_FILES_NAMED = 10


class CheckoutBusyError(ForgeError):
    """A checkout of the branch holds something that moving it would lose; `files` are relative to it."""

    def __init__(self, checkout: Path, what: str, files: tuple[str, ...]) -> None:
        self.files = files
        shown = ", ".join(files[:_FILES_NAMED]) + (
            f" and {len(files) - _FILES_NAMED} more" * (len(files) > _FILES_NAMED)
        )
        super().__init__(f"{checkout} {what}{f': {shown}' if files else ''}", transient=True)


def find_checkouts(host: Host, branch: str) -> tuple[Checkout, ...]:
    """Every existing worktree in which `branch` is checked out; more than one only after `worktree add --force`."""
    paths, path = [], Path()
    for line in host.git("worktree", "list", "--porcelain", "-z").split("\0"):
        name, _, value = line.partition(" ")
        if name == "worktree":
            path = Path(value)
        elif name == "branch" and value == f"refs/heads/{branch}" and path.is_dir() and path != host.git_dir:
            paths.append(path)
    linked = ((path, find_linked(host.git_dir, path)) for path in paths)
    return tuple(Checkout(path, entry.admin if entry else host.git_dir) for path, entry in linked)


@contextmanager
def brought_along(host: Host, branch: str, old: str, new: str) -> Iterator[None]:
    """Within: every checkout of `branch` shows `new` already, and the caller moves the branch from `old` to it.

    If that fails the checkouts are put back. The order is the safe one: killed between the two, a checkout
    shows the merge as staged changes and the next attempt takes it up from there.

    Raises:
        CheckoutBusyError: a checkout is not clean; none was touched.
    """
    checkouts = find_checkouts(host, branch)
    for checkout in checkouts:
        _ensure_clean(host, checkout, old, new)
    with ExitStack() as undo:
        for checkout in checkouts:
            _switch(host, checkout, old, new)
            undo.callback(_switch, host, checkout, new, old)
        yield
        undo.pop_all()


def _ensure_clean(host: Host, checkout: Checkout, old: str, new: str) -> None:
    entries = iter(host.git_in(checkout, "status", "--porcelain", "-z", "--untracked-files=no").split("\0"))
    changed = []
    for entry in entries:
        if entry:
            changed.append(entry[3:])
        # a rename is followed by the name it had before
        if entry[:1] in {"R", "C"}:
            next(entries)
    if changed:
        # an attempt that was killed half way left just the merge itself behind
        if not host.git_in(checkout, "diff-index", "--name-only", new):
            return
        raise CheckoutBusyError(checkout.path, "has uncommitted changes", tuple(changed))
    options = ("--no-ext-diff", "--no-renames", "--name-only", "-z", "--diff-filter=A")
    added = host.git_in(checkout, "diff", *options, old, new)
    # ignored files too: git would overwrite those without a word
    in_the_way = tuple(name for name in added.split("\0") if name and os.path.lexists(checkout.path / name))
    if in_the_way:
        raise CheckoutBusyError(checkout.path, "has untracked files that the merge would overwrite", in_the_way)


def _switch(host: Host, checkout: Checkout, origin: str, target: str) -> None:
    try:
        host.git_in(checkout, "read-tree", "-m", "-u", origin, target)
    except GitCommandError as error:
        files = tuple(dict.fromkeys(re.findall(r"'([^'\n]+)'", error.stderr)))
        said = error.stderr.strip().splitlines()[:1] or ["git read-tree failed"]
        raise CheckoutBusyError(checkout.path, f"cannot be brought along ({said[0]})", files) from error
