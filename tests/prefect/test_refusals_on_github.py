"""What GitHub refuses, limits, or does by itself while a worker is at its task: waited out, and not repeated."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import BlockDocumentUpdate

from blocks.forge import GitHubForge
from flows import wiring
from flows.forge_credentials import github_credentials
from flows.run_batch import RunOptions, carry_out
from flows.watch_pull_requests import watch
from flows.wiring import renew_workplaces
from flows.worker_states import get_worker
from parallel_workers.adapters.github.forge import close_github
from parallel_workers.errors import UsageError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.progress import BatchOutcome, TaskOutcome
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL
from tests.fake_github.ci import CheckReport, PushedHead
from tests.fake_github.faults import FaultKind
from tests.fake_github.hub import Hub
from tests.prefect.batches import shell_batch
from tests.prefect.observers import Recorder
from tests.prefect.test_rework_on_github import hub, looked_at_once, until

__all__ = ["hub"]

# Is told to go on in the middle of its rework.
AGENT = """
if grep -q 'Red check' "$PARALLEL_WORKERS_PROMPT_FILE"; then
  touch '{folder}/reworks'; while ! test -e '{folder}/go'; do sleep 0.1; done; rm -f bad.txt; echo mended > mended.txt
else echo x > bad.txt; echo y > work.txt; fi
"""


def begin(hub: Hub, folder: Path, seen: Recorder, shell: str = AGENT) -> asyncio.Task[BatchOutcome]:
    batch = shell_batch(hub.clone, {"T": {"shell": shell.format(folder=folder)}}, merge="auto")
    options = RunOptions(str(folder / "trees"), poll_seconds=0.5)
    return asyncio.create_task(carry_out(batch, observer=seen, options=options))


async def end(running: asyncio.Task[BatchOutcome]) -> TaskOutcome:
    (task,) = (await asyncio.wait_for(running, 120)).tasks
    return task


def merges_asked_for(hub: Hub) -> int:
    return sum(one.method == "PUT" and one.target.endswith("/pulls/1/merge") for one in hub.server.requests)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["merged", "closed"])
async def test_what_a_person_ends_during_a_rework_stays_ended(hub: Hub, tmp_path: Path, way: str) -> None:
    hub.repository.set_ci(lambda head: [CheckReport("unit", "failure" if head.read("bad.txt") else "success")])
    async with looked_at_once():
        running = begin(hub, tmp_path, Recorder())
        await until((tmp_path / "reworks").exists)
        if way == "merged":
            hub.repository.merge(1)
        else:
            hub.repository.close(1)
        hub.repository.delete_branch("feature/t")
        (tmp_path / "go").touch()
        task = await end(running)
    assert task.result == ("merged" if way == "merged" else "failed"), task
    assert way == "merged" or "#1 was closed without being merged" in task.reason
    assert list(hub.repository.pulls) == [1], "nothing is opened beside it"
    assert list(hub.repository.branches()) == ["main"], "nor pushed again"


@pytest.mark.timeout(300)
async def test_the_forge_is_stopped_from_merging_before_a_rework(hub: Hub, tmp_path: Path) -> None:
    def ci(head: PushedHead) -> list[CheckReport]:
        is_bad = head.read("bad.txt") is not None
        return [CheckReport("unit", after_seconds=10_000 if is_bad else 0), CheckReport("lint")]

    hub.repository.set_ci(ci)
    hub.repository.allow(allow_auto_merge=True)
    hub.repository.protect(required_checks=["unit"])
    async with looked_at_once():
        running = begin(hub, tmp_path, Recorder())
        await until(lambda: 1 in hub.repository.pulls and hub.repository.pull(1).auto_merge is not None)
        hub.repository.set_check(1, "late", "failure", log="it is bad")
        await until((tmp_path / "reworks").exists)
        assert hub.repository.pull(1).auto_merge is None
        (tmp_path / "go").touch()
        assert (await end(running)).result == "merged"


@pytest.mark.timeout(300)
async def test_a_base_that_only_its_queue_merges_into_gets_it_through_the_queue(hub: Hub, tmp_path: Path) -> None:
    hub.repository.set_ci(lambda _head: [CheckReport("unit")])
    hub.repository.allow(has_merge_queue=True, allow_auto_merge=False)
    async with looked_at_once():
        running = begin(hub, tmp_path, Recorder(), "echo y > work.txt")
        await until(lambda: 1 in hub.repository.pulls and hub.repository.pull(1).is_queued)
        hub.repository.finish_queue(1)
        assert (await end(running)).result == "merged"
    assert merges_asked_for(hub) == 0


@pytest.mark.timeout(300)
async def test_auto_merge_that_a_person_switches_off_stays_off(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parallel_workers.decisions.refusals._KEPT_SECONDS", 2.0)
    hub.repository.set_ci(lambda _head: [CheckReport("unit", after_seconds=10_000)])
    hub.repository.allow(allow_auto_merge=True)
    hub.repository.protect(required_checks=["unit"])
    async with looked_at_once():
        running = begin(hub, tmp_path, Recorder(), "echo y > work.txt")
        await until(lambda: 1 in hub.repository.pulls and hub.repository.pull(1).auto_merge is not None)
        hub.repository.switch_off_auto_merge(1)
        await until(lambda: NEEDS_HUMAN_LABEL in hub.repository.pull(1).label_keys)
        assert "somebody switched off" in hub.repository.pull(1).comments[0].body
        hub.repository.set_check(1, "unit", "success")
        await asyncio.sleep(3)
        pull = hub.repository.pull(1)
        assert (pull.auto_merge, pull.state) == (None, "open")
        hub.repository.take_label_off(1, NEEDS_HUMAN_LABEL)
        assert (await end(running)).result == "merged"
    assert len(pull.comments) == 1


@pytest.mark.timeout(300)
async def test_a_merge_that_the_token_may_not_make_is_left_to_a_person(hub: Hub, tmp_path: Path) -> None:
    hub.repository.set_ci(lambda _head: [CheckReport("unit")])
    hub.server.faults.next(FaultKind.FORBIDDEN, path="/pulls/1/merge$", times=100)
    hub.server.faults.next(FaultKind.FORBIDDEN, method="POST", path="/issues/1/comments$", times=100)
    seen = Recorder()
    async with looked_at_once():
        running = begin(hub, tmp_path, seen, "echo y > work.txt")
        await until(lambda: 1 in hub.repository.pulls and NEEDS_HUMAN_LABEL in hub.repository.pull(1).label_keys)
        hub.repository.merge(1)
        assert (await end(running)).result == "merged"
    assert merges_asked_for(hub) == 3
    assert any("GitHub forbids it" in reason for reason in seen.reasons), seen.reasons


@pytest.mark.timeout(300)
async def test_where_a_person_can_not_be_asked_on_github_the_state_says_it(hub: Hub, tmp_path: Path) -> None:
    hub.repository.set_ci(lambda _head: [CheckReport("unit")])
    for path in ("/pulls/1/merge$", "/issues/1/comments$", "/issues/1/labels$"):
        hub.server.faults.next(FaultKind.FORBIDDEN, path=path, times=100)
    seen = Recorder()
    async with looked_at_once():
        running = begin(hub, tmp_path, seen, "echo y > work.txt")
        await seen.until_waits("a person is needed: the forge refuses to merge #1")
        hub.repository.merge(1)
        assert (await end(running)).result == "merged"


@pytest.mark.timeout(300)
async def test_a_limit_that_is_used_up_is_waited_for(hub: Hub, tmp_path: Path) -> None:
    seen = Recorder()
    async with looked_at_once():
        running = begin(hub, tmp_path, seen, "touch '{folder}/works'; sleep 2; echo y > work.txt")
        await until((tmp_path / "works").exists)
        hub.server.limits.set("worker", remaining=0, reset_after_seconds=30)
        task = await end(running)
    assert task.result == "merged", task
    assert any("asked again" in reason for reason in seen.reasons), seen.reasons
    hub.server.faults.retry_after_seconds = 60
    hub.server.faults.next(FaultKind.TOO_MANY, path="/pulls/1$")
    task = await end(begin(hub, tmp_path, seen, "exit 1"))
    assert task.result == "failed"
    assert "merged before, but" in task.reason
    assert "asked for a pause until" in task.reason


@pytest.mark.timeout(300)
async def test_what_github_cannot_answer_is_said_and_what_else_it_tells_is_acted_on(hub: Hub, tmp_path: Path) -> None:
    hub.repository.set_ci(lambda _head: [CheckReport("unit", after_seconds=3600)])
    seen = Recorder()
    async with looked_at_once():
        running = begin(hub, tmp_path, seen, "echo y > work.txt")
        await seen.until_waits("waits for checks: unit")
        hub.server.unanswerable.add(hub.repository.pull(1).node_id)
        await seen.until_waits("Something went wrong")
        hub.repository.merge(1)
        task = await end(running)
    assert task.result == "merged", task
    said = next(reason for reason in seen.reasons if "Something went wrong" in reason)
    assert said.endswith("#1 waits for checks: unit")


@pytest.mark.timeout(300)
async def test_a_revoked_token_is_told_and_its_successor_in_the_block_is_found(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    document = await GitHubForge(token=hub.token).save("default", overwrite=True)
    assert await renew_workplaces()
    try:
        seen, stop = Recorder(), asyncio.Event()
        batch = shell_batch(hub.clone, {"T": {}}, merge="manual", project="revoked")
        options = RunOptions(str(tmp_path / "trees"), poll_seconds=0.5)
        async with looked_at_once():
            running = asyncio.create_task(carry_out(batch, observer=seen, options=options, stop=stop))
            await seen.until_waits("a person to merge")
            hub.server.credentials.revoke(hub.token)
            await seen.until_waits("GitHub does not accept the token")
        stop.set()
        (task,) = (await running).tasks
        had = github_credentials()
        async with get_client() as client:
            wrong = BlockDocumentUpdate(data={"app_id": "no number"})
            await client.update_block_document(document, wrong)
        with pytest.raises(UsageError, match=r"does not fit \(app_id\): save it again"):
            await renew_workplaces()
        await look("revoked")
        assert github_credentials() == had, "what was read before stays"
        await GitHubForge(token=hub.repository.give("worker")).save("default", overwrite=True)
        hub.repository.merge(1)
        async with asyncio.timeout(60):  # a look may answer what was seen last; one of them is refused
            while (await get_worker(task.worker_id)).state is not WorkerState.MERGED:
                await look("revoked")
    finally:
        async with get_client() as client:
            await client.delete_block_document(document)
        await renew_workplaces()


@pytest.mark.timeout(300)
async def test_who_waits_without_a_process_is_shown_to_wait_for_github(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, stop = Recorder(), asyncio.Event()
    batch = shell_batch(hub.clone, {"T": {}}, merge="manual", project="used-up")
    options = RunOptions(str(tmp_path / "trees"), poll_seconds=0.5)
    running = asyncio.create_task(carry_out(batch, observer=seen, options=options, stop=stop))
    await seen.until_waits("a person to merge")
    stop.set()
    (task,) = (await running).tasks
    for resource in ("core", "graphql"):
        hub.server.limits.set("worker", resource, remaining=0, reset_after_seconds=600)

    async def reason() -> str:
        await look("used-up")
        return (await get_worker(task.worker_id)).reason

    async with asyncio.timeout(90):  # not every look asks GitHub
        while "limit is used up until" not in await reason():  # noqa: ASYNC110
            await asyncio.sleep(0.5)
    hub.server.limits.set("worker", remaining=5000)
    hub.server.limits.set("worker", "graphql", remaining=5000)
    close_github()
    monkeypatch.setattr(wiring, "_opened", {})  # as another process, which knows of no limit
    assert "limit" not in await reason()


async def look(project: str) -> None:
    await watch(
        project=project, poll_seconds=0.1, max_iterations=1, stop=asyncio.Event(), on_look=lambda _waiting: None
    )
