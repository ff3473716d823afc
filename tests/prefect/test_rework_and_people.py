"""A person's commits on a worker's branch are never lost: taken in, or left alone with a question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from deployments.embedded_server import ServerAddress
from flows.run_batch import RunOptions, carry_out
from parallel_workers.adapters.local_forge.forge import LocalForge, open_local_forge
from parallel_workers.progress import BatchOutcome
from parallel_workers.spec import MergeMethod
from tests.conftest import Git
from tests.prefect.batches import shell_batch
from tests.prefect.conflicts import runs_of, settling_agent
from tests.prefect.observers import Recorder


class Place(NamedTuple):
    """A repository with a bare remote, a worker's batch on it, and a person's clone."""

    repository: Path
    person: Path
    runs: Path
    trees: Path
    git: Git
    seen: Recorder

    @property
    def forge(self) -> LocalForge:
        return open_local_forge(self.repository)

    def run(self, stop: asyncio.Event | None = None, **options: object) -> asyncio.Task[BatchOutcome]:
        settings: dict[str, object] = {"merge": "manual", **options}
        batch = shell_batch(self.repository, {"T": {"shell": settling_agent(self.runs)}}, **settings)
        run_options = RunOptions(str(self.trees), poll_seconds=0.2)
        return asyncio.create_task(carry_out(batch, observer=self.seen, stop=stop, options=run_options))

    def push(self, branch: str, files: dict[str, str], *options: str) -> str:
        self.git(self.person, "fetch", "--quiet", "origin")
        self.git(self.person, "switch", "--quiet", "-C", "theirs", f"origin/{branch}")
        for name, text in files.items():
            (self.person / name).write_text(text)
        self.git(self.person, "add", "--all")
        self.git(self.person, "commit", "--quiet", *options, "--message", "feat: theirs")
        self.git(self.person, "push", "--quiet", "--force", "origin", f"HEAD:{branch}")
        return self.git(self.person, "rev-parse", "HEAD")

    def remote_head(self) -> str:
        return self.git(self.person, "ls-remote", "origin", "feature/t").partition("\t")[0]

    def on_remote(self, sha: str) -> bool:
        self.git(self.person, "fetch", "--quiet", "origin")
        return sha in self.git(self.person, "rev-list", self.remote_head()).split()

    def on_remote_main(self, sha: str) -> bool:
        self.git(self.person, "fetch", "--quiet", "origin")
        return sha in self.git(self.person, "rev-list", "origin/main").split()

    async def until_runs(self, count: int) -> None:
        async with asyncio.timeout(60):
            while runs_of(self.runs, "T") < count:  # noqa: ASYNC110 - another process tells
                await asyncio.sleep(0.05)


@pytest.fixture
def place(prefect_server: ServerAddress, make_repository: Callable[..., Path], tmp_path: Path, git: Git) -> Place:
    repository = make_repository("repo", {"shared.txt": "begin\n"}, bare_remote=True)
    person = tmp_path / "person"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "repo.git"), str(person))
    return Place(repository, person, tmp_path / "runs", tmp_path / "trees", git, Recorder())


async def test_a_persons_push_survives_a_rework(place: Place) -> None:
    running = place.run()
    await place.seen.until_waits("a person to merge")
    theirs = place.push("feature/t", {"reviewed.txt": "mine too\n"})
    place.push("main", {"shared.txt": "begin\nnewer\n"})
    await place.until_runs(2)
    await place.seen.until_waits("a person to merge", times=2)
    assert place.on_remote(theirs)
    assert place.forge.merge_pull_request(1, MergeMethod.MERGE).outcome == "merged"
    (task,) = (await running).tasks
    assert task.result == "merged"
    assert place.git(place.repository.with_suffix(".git"), "show", "main:reviewed.txt") == "mine too"
    assert place.remote_head() == "", "what was merged is gone from the remote"
    assert runs_of(place.runs, "T") == 2


async def test_rewritten_history_is_left_alone_and_a_person_is_asked(place: Place) -> None:
    running = place.run()
    await place.seen.until_waits("a person to merge")
    before = place.remote_head()
    theirs = place.push("feature/t", {"shared.txt": "begin\nmine alone\n"}, "--amend")
    place.push("main", {"shared.txt": "begin\nnewer\n"})
    await place.seen.until_waits("labelled parallel-workers:needs-human")
    assert place.remote_head() == theirs
    assert "somebody rewrote feature/t" in place.forge.fetch_pull_request(1).reason
    assert place.git(place.trees / "sample" / "t", "rev-parse", "HEAD") == before, "ours is kept"
    assert runs_of(place.runs, "T") == 1
    place.push("feature/t", {"shared.txt": "begin\nnewer\nmine alone\n"})
    place.git(place.person, "merge", "--quiet", "--strategy=ours", "--no-edit", "origin/main")
    place.git(place.person, "push", "--quiet", "origin", "HEAD:feature/t")
    assert place.forge.merge_pull_request(1, MergeMethod.MERGE, place.remote_head()).outcome == "merged"
    assert (await running).succeeded, "a person can merge what was given back"


async def test_a_commit_on_a_stopped_workers_branch_does_not_keep_it_from_going_on(place: Place) -> None:
    stop = asyncio.Event()
    running = place.run(stop)
    await place.seen.until_waits("a person to merge")
    stop.set()
    await running
    theirs = place.push("feature/t", {"reviewed.txt": "mine too\n"})
    (task,) = (await place.run(merge="auto")).tasks
    assert task.result == "merged", task
    assert place.git(place.repository.with_suffix(".git"), "show", "main:reviewed.txt") == "mine too"
    assert place.on_remote_main(theirs)
    assert runs_of(place.runs, "T") == 1


async def test_a_rework_that_another_machine_took_with_it_is_done_again(place: Place) -> None:
    running = place.run()
    await place.seen.until_waits("a person to merge")
    before = place.remote_head()
    hook = place.repository.with_suffix(".git") / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nwhile read -r _ _ ref; do test $ref != refs/heads/feature/t || exit 1; done\n")
    hook.chmod(0o755)
    place.push("main", {"shared.txt": "begin\nnewer\n"})
    (task,) = (await running).tasks
    assert task.result == "failed"
    assert runs_of(place.runs, "T") == 2
    hook.unlink()
    place.git(place.trees / "sample" / "t", "reset", "--quiet", "--hard", before)
    (task,) = (await place.run(merge="auto")).tasks
    assert task.result == "merged", task
    assert runs_of(place.runs, "T") == 3
    assert place.git(place.repository.with_suffix(".git"), "show", "main:shared.txt") == "begin\nT\nnewer"
