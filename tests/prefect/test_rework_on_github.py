"""Reviewers and checks on a GitHub send a worker back to work, once for each reason; then it is merged."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

from deployments.embedded_server import ServerAddress
from flows.run_batch import RunOptions, carry_out
from flows.watch_pull_requests import watch
from parallel_workers.adapters.github.forge import close_github
from tests.conftest import Git
from tests.fake_github.ci import CheckReport, PushedHead
from tests.fake_github.fixtures import running_fake_github
from tests.fake_github.hub import Hub, open_hub
from tests.prefect.batches import WRITE_FILE, shell_batch
from tests.prefect.conflicts import runs_of, settling_agent
from tests.prefect.histories import states_of
from tests.prefect.observers import Recorder

# Keeps what it was told, and mends what its prompt names.
AGENT = """
cp "$PARALLEL_WORKERS_PROMPT_FILE" "{prompts}/$(ls '{prompts}' | wc -l)"
env > "{prompts}/../agent-environment"
if grep -q 'Red check' "$PARALLEL_WORKERS_PROMPT_FILE"; then rm -f bad.txt; echo mended > mended.txt
elif grep -q 'Remark of' "$PARALLEL_WORKERS_PROMPT_FILE"; then echo answered > answered.txt
else echo x > bad.txt; echo y > work.txt; fi
"""


@pytest.fixture
def hub(prefect_server: ServerAddress, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_fake_github(tmp_path) as server:
        hub = open_hub(server, tmp_path, git)
        (Path.home() / ".git-credentials").unlink()
        monkeypatch.setenv("GITHUB_TOKEN", hub.token)
        monkeypatch.setenv("GITHUB_SERVER_URL", server.url)
        monkeypatch.setenv("GITHUB_API_URL", server.api_url)
        monkeypatch.setenv("GITHUB_GRAPHQL_URL", server.graphql_url)
        try:
            yield hub
        finally:
            close_github()


@asynccontextmanager
async def looked_at_once() -> AsyncIterator[None]:
    """While inside, CI tells twice a second that a pull request has moved: nobody waits for the next look."""

    async def tell() -> None:
        async with get_client() as client:
            while True:
                event = {
                    "event": "parallel-workers.pull-request.checks",
                    "occurred": datetime.now(UTC).isoformat(),
                    "id": str(uuid.uuid4()),
                    "resource": {"prefect.resource.id": "parallel-workers.repository.project"},
                }
                await client.request("POST", "/events", json=[event])
                await asyncio.sleep(1)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


@pytest.mark.timeout(300)
async def test_a_red_check_and_a_remark_each_lead_to_one_rework_and_then_to_the_merge(hub: Hub, tmp_path: Path) -> None:
    prompts, seen = tmp_path / "prompts", Recorder()
    prompts.mkdir()

    def ci(head: PushedHead) -> list[CheckReport]:
        red = head.read("bad.txt") is not None
        log = "collecting ...\nFAILED: bad.txt must not be there\n"
        return [CheckReport("unit", "failure" if red else "success", log=log if red else "")]

    hub.repository.set_ci(ci)
    hub.repository.protect(required_checks=["unit"], required_reviews=1)
    batch = shell_batch(hub.clone, {"T": {"shell": AGENT.format(prompts=prompts)}}, merge="auto")
    options = RunOptions(str(tmp_path / "trees"), poll_seconds=0.5)
    async with looked_at_once():
        running = asyncio.create_task(carry_out(batch, observer=seen, options=options))
        await until(lambda: len(list(prompts.iterdir())) == 2)
        await seen.until_waits("waits for a review")
        hub.repository.comment_thread(1, "reviewer", "work.txt", 1, "say why")
        await until(lambda: len(list(prompts.iterdir())) == 3)
        await until(lambda: holds(hub, "answered.txt"))
        hub.repository.review(1, "reviewer", "APPROVED")
        (task,) = (await asyncio.wait_for(running, 120)).tasks
    assert task.result == "merged", task
    told = [path.read_text() for path in sorted(prompts.iterdir(), key=lambda path: int(path.name))]
    assert len(told) == 3, "each reason is worked on once"
    assert "FAILED: bad.txt must not be there" in told[1]
    assert "say why" in told[2]
    assert "work.txt" in told[2]
    assert await states_of(task.flow_run_id) == ["NEEDS_INIT", *(["WORKING", "PR_OPEN"] * 3), "MERGED"]
    assert list(hub.repository.branches()) == ["main"], "the merged branch is gone"
    assert hub.token not in (tmp_path / "agent-environment").read_text()
    assert hub.server.leaks() == []
    assert any("pull requests live on GitHub" in reason for reason in seen.reasons)


@pytest.mark.timeout(400)
async def test_a_base_that_wants_branches_up_to_date_gets_one_updated_at_a_time(hub: Hub, tmp_path: Path) -> None:
    count = 4
    hub.repository.set_ci(lambda _head: [CheckReport("unit", "success", after_seconds=1)])
    hub.repository.protect(required_checks=["unit"], strict_up_to_date=True)
    tasks = {f"T-{number}": {"shell": together(tmp_path / "runs", count)} for number in range(1, count + 1)}
    batch = shell_batch(hub.clone, tasks, merge="auto", max_workers=count)
    options = RunOptions(str(tmp_path / "trees"), poll_seconds=0.5)
    ticking = asyncio.create_task(tick(hub))
    async with looked_at_once():
        outcome = await asyncio.wait_for(carry_out(batch, observer=Recorder(), options=options), 300)
    ticking.cancel()
    assert outcome.succeeded, outcome
    updates = hub.server.usage.branch_updates
    print(f"{count} pull requests into a strict base: {updates} branch updates")  # noqa: T201 - what the test shows
    assert count - 1 <= updates <= 2 * count
    assert hub.server.leaks() == []


@pytest.mark.timeout(400)
async def test_pull_requests_on_github_that_all_touch_one_file_are_all_merged(hub: Hub, tmp_path: Path) -> None:
    count, runs = 3, tmp_path / "runs"
    hub.repository.push("main", {"shared.txt": "begin\n"})
    tasks = {f"T-{number}": {"shell": settling_agent(runs, count)} for number in range(1, count + 1)}
    batch = shell_batch(hub.clone, tasks, merge="auto", max_workers=count)
    options = RunOptions(str(tmp_path / "trees"), poll_seconds=0.5)
    async with looked_at_once():
        outcome = await asyncio.wait_for(carry_out(batch, observer=Recorder(), options=options), 300)
    assert outcome.succeeded, outcome
    bare = hub.repository.state.git.path
    assert sorted(hub.git(bare, "show", "main:shared.txt").split()) == sorted(["begin", *tasks])
    updates = sum(runs_of(runs, task_id) - 1 for task_id in tasks)
    print(f"{count} pull requests on GitHub that touch one file: {updates} branch updates")  # noqa: T201 - as above
    assert updates == count - 1


def together(runs: Path, count: int) -> str:
    """An agent that writes a file of its own, and ends when `count` of them have begun."""
    wait = f"while [ \"$(wc -l < '{runs}')\" -lt {count} ]; do sleep 0.05; done"
    return f"echo x >> '{runs}'; {wait}; {WRITE_FILE}"


async def tick(hub: Hub) -> None:
    """Lets the fake's CI come to its end as time goes by."""
    while True:
        await asyncio.sleep(1)
        hub.server.clock.advance(1)


def holds(hub: Hub, file: str) -> bool:
    """Whether the pull request's head on the server has the file."""
    bare = hub.repository.state.git.path
    return file in hub.git(bare, "ls-tree", "--name-only", hub.repository.pull(1).head_sha).splitlines()


@pytest.mark.timeout(300)
async def test_an_event_shows_the_standing_watcher_what_no_list_tells(hub: Hub, tmp_path: Path) -> None:
    """A check that turns red moves no pull request in GitHub's list."""
    prompts, seen, stop = tmp_path / "prompts", Recorder(), asyncio.Event()
    prompts.mkdir()
    batch = shell_batch(hub.clone, {"T": {"shell": AGENT.format(prompts=prompts)}}, merge="manual", project="told")
    running = asyncio.create_task(
        carry_out(batch, observer=seen, options=RunOptions(str(tmp_path / "trees"), poll_seconds=0.5), stop=stop)
    )
    await seen.until_waits("a person to merge")
    stop.set()
    await running
    looks: list[int] = []
    watching = asyncio.create_task(
        watch(
            project="told",
            poll_seconds=3600,
            max_iterations=None,
            stop=(ended := asyncio.Event()),
            on_look=lambda waiting: looks.append(len(waiting)),
        )
    )
    await until(lambda: bool(looks))
    hub.repository.set_check(1, "unit", "failure")
    before = len(looks)
    async with looked_at_once():
        # events of a moment ago come, too: a look may be under way that began before the check
        await until(lambda: len(looks) >= before + 2)
    ended.set()
    await asyncio.wait_for(watching, 60)
    assert len(list(prompts.iterdir())) == 2, "a look after the event sends it back to work"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - other processes and threads tell
            await asyncio.sleep(0.2)
