"""The look at pull requests that all workers of a process share: whoever waits gets one, whatever the others do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from deployments.embedded_server import ServerAddress
from flows.pull_request_watch import PullRequestWatch
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.pull_requests import PullRequestDraft
from parallel_workers.spec import MergePolicy
from tests.conftest import Git


async def test_who_comes_while_the_last_one_leaves_is_looked_for_all_the_same(
    prefect_server: ServerAddress, make_repository: Callable[..., Path], git: Git
) -> None:
    repository = make_repository()
    forge = open_local_forge(repository)
    for number in (1, 2):
        sha = git(repository, "commit-tree", "-p", "main", "-m", f"feat: {number}", "main^{tree}")
        git(repository, "branch", f"feature/{number}", sha)
        forge.ensure_pull_request(
            PullRequestDraft(f"worker-{number:08}", f"T{number}", "", f"feature/{number}", sha, "main")
        )
    watch = PullRequestWatch(forge, poll_seconds=0.1)
    first = watch.following(1, MergePolicy.AUTO)
    await first.__aenter__()
    await watch.next_look(1, soon=True)
    leaving = asyncio.create_task(first.__aexit__(None, None, None))
    await asyncio.sleep(0)
    assert not leaving.done(), "it waits for its last look to end"
    async with watch.following(2, MergePolicy.AUTO):
        await leaving
        sight = await asyncio.wait_for(watch.next_look(2, soon=True), 20)
    assert sight.snapshot is not None
    assert sight.snapshot.pull_request.number == 2
