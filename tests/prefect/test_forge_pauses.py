"""A forge that is not to be asked before some time is waited for: it costs no retry, and ends no worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from prefect import flow
from prefect.client.schemas.objects import FlowRun

from deployments.embedded_server import ServerAddress
from flows.flow_names import LABEL_PREFIX
from flows.local_engine import LocalEngine, use_engine
from flows.merge_waiting import ask_person
from flows.moved_pull_requests import find_moved
from flows.remembered import Remembered
from flows.steps import RETRIES, step
from flows.wiring import open_workplace
from parallel_workers.decisions.merge_decisions import Merge
from parallel_workers.errors import ForgeBusyError
from parallel_workers.lifecycle import WorkerState
from parallel_workers.ports import Forge
from parallel_workers.pull_requests import PullRequestDraft
from parallel_workers.spec import AgentProfile, MergeMethod, MergePolicy, TaskOrder, TaskSpec
from tests.conftest import Git
from tests.prefect.observers import Recorder

SAID = "GitHub's limit is used up; it is asked again at 12:34"


def order_for(repository: Path) -> TaskOrder:
    return TaskOrder(
        worker="worker-0123abcd",
        batch="b",
        project="p",
        repository=str(repository),
        task=TaskSpec(id="T", description="do it", agent="writer"),
        base_branch="main",
        branch="feature/t",
        worktree=str(repository),
        agent=AgentProfile(command=("true",)),
    )


def opened_by(repository: Path, git: Git) -> tuple[TaskOrder, Forge]:
    """A worker's order, and the forge that holds its pull request #1."""
    git(repository, "switch", "--quiet", "-c", "feature/t")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "feat: t")
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "switch", "--quiet", "main")
    order, forge = order_for(repository), open_workplace(str(repository)).forge
    forge.ensure_pull_request(PullRequestDraft(order.worker, "T", "", order.branch, head, order.base_branch))
    return order, forge


async def test_a_step_waits_as_often_as_the_forge_says_and_says_so(
    prefect_server: ServerAddress, make_repository: Callable[..., Path]
) -> None:
    tries: list[datetime] = []
    until = datetime.now(UTC)

    @step("ask")
    async def ask(_order: TaskOrder, answer: str) -> str:
        nonlocal until
        now = datetime.now(UTC)
        assert now >= until
        tries.append(now)
        if len(tries) <= RETRIES + 3:
            until = now + timedelta(seconds=0.3)
            raise ForgeBusyError(SAID, until)
        return answer

    order, seen = order_for(make_repository()), Recorder()

    @flow
    async def a_flow() -> str:
        return await ask(order, "done")

    engine = LocalEngine(seen)
    engine.session(order).state = WorkerState.PR_OPEN
    with use_engine(engine):
        assert await a_flow() == "done"
    assert len(tries) == RETRIES + 4
    assert SAID in seen.reasons
    assert engine.session(order).state is WorkerState.PR_OPEN


async def test_what_is_said_to_a_person_is_redacted_bounded_and_no_markup(
    prefect_server: ServerAddress, make_repository: Callable[..., Path], git: Git
) -> None:
    token = "ghp_" + "a" * 36
    order, forge = opened_by(make_repository(), git)

    @flow
    async def a_flow() -> None:
        await ask_person(order, 1, f"red check @everyone: {token}", f"</details>```\n# {token}\n" + "x" * 100_000)

    with use_engine(LocalEngine()):
        await a_flow()
    said = forge.fetch_pull_request(1).reason
    assert token not in said
    assert len(said) < 6_000
    fence = said.partition("````")
    assert fence[1], "longer than the fence in it"
    assert "@everyone" not in fence[0]
    assert said.endswith("````")


async def test_what_a_run_has_just_tried_in_vain_does_not_wake_it_again(
    make_repository: Callable[..., Path], git: Git
) -> None:
    order, forge = opened_by(make_repository(), git)
    order = order.model_copy(update={"merge": MergePolicy.AUTO})
    merge = Merge(MergeMethod.MERGE, forge.fetch_pull_request(1).head_sha, "may be merged")
    now = datetime.now(UTC).timestamp()

    async def moved(remembered: Remembered) -> set[str]:
        facts: dict[str, str | int] = {"pr_number": 1, **remembered.facts()}
        labels = {f"{LABEL_PREFIX}{name}": value for name, value in facts.items()}
        run = FlowRun(flow_id=uuid4(), deployment_id=uuid4(), labels=dict(labels))
        return await find_moved([(run, order)], {})

    assert await moved(Remembered()) == {order.worker}
    assert await moved(Remembered().having_tried(merge, now)) == set()
    assert await moved(Remembered().having_tried(merge, now - 3600)) == {order.worker}
    assert await moved(Remembered().having_tried(merge._replace(head_sha="b" * 40), now)) == {order.worker}
