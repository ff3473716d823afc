"""Thousands of pull requests in a moment."""

from __future__ import annotations

import itertools

from tests.fake_github.bare_git import HEADS
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Account, Pull

_batches = itertools.count(1)


def seed_pulls(state: RepositoryState, author: Account, count: int, base: str) -> list[int]:
    """Branches `seeded/...` by one fast-import, then the pull requests in memory, already found mergeable."""
    tip, batch = state.branches[base], next(_batches)
    branches = [f"seeded/{batch}-{number}" for number in range(count)]
    state.git.run("fast-import", "--quiet", stdin="".join(_commit(branch, tip) for branch in branches))
    state.branches = state.git.branches()
    stamp = state.world.clock.stamp()
    numbers = []
    for branch in branches:
        number, sha = state.next_number(), state.branches[branch]
        pull = Pull(next(state.world.ids), number, author, f"Seeded {branch}", "", branch, sha, base, tip, stamp, stamp)
        pull.judged_for, pull.is_mergeable = (sha, tip), True
        state.add(pull)
        numbers.append(number)
    return numbers


def _commit(branch: str, parent: str) -> str:
    name, message = branch.rpartition("/")[2], "feat: seeded"
    lines = [
        f"commit {HEADS}{branch}",
        "committer Seeder <seeder@example.invalid> 1700000000 +0000",
        f"data {len(message)}",
        message,
        f"from {parent}",
        f"M 100644 inline seeded-{name}.txt",
        f"data {len(name) + 1}",
        name,
        "",
        "",
    ]
    return "\n".join(lines)
