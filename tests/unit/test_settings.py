"""The repository's settings, and how batch, settings and defaults become orders."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from parallel_workers.errors import InvalidSpecError, UsageError
from parallel_workers.identity import worker_id
from parallel_workers.settings import RepositorySettings, apply_settings, parse_settings, resolve_orders
from parallel_workers.spec import (
    AgentProfile,
    BatchSpec,
    ForgeKind,
    Gate,
    MergeMethod,
    MergePolicy,
    PullRequestSettings,
    TaskOrder,
    TaskSpec,
)

OURS = AgentProfile(command=("ours",))
AGENTS = {"code-author": OURS, "mine": AgentProfile(command=("mine",), timeout=60.0)}


class Place(NamedTuple):
    path: Path = Path("/repositories/mice")
    identity: str = "https://example.invalid/mice.git"


def orders_of(batch: BatchSpec, settings: RepositorySettings | None = None) -> tuple[TaskOrder, ...]:
    return resolve_orders(batch, settings or RepositorySettings(), Place(), Path("/trees"), 2.5, None)


def batch_of(*tasks: TaskSpec, **more: object) -> BatchSpec:
    values = {"name": "sprint", "project": "Mice Dolphins", "agents": AGENTS, **more}
    return BatchSpec.model_validate({"tasks": tasks or (TaskSpec(id="T-1", description="x"),), **values})


SETTINGS = """\
agents:
  code-author: {command: [theirs]}
  other: {command: [other], prompt: stdin}
gates: [make test, {name: lint, run: make lint, timeout: 2m}]
setup: [make install]
merge: auto
merge_method: squash
max_workers: 7
forge: local
rework_rounds: 5
pull_request: {reviewers: [ada], draft: true}
worktree_policy: team
"""


def test_every_key_of_the_settings_is_read() -> None:
    settings = parse_settings(SETTINGS, "f")
    assert settings.agents["other"].command == ("other",)
    assert settings.gates == (
        Gate(name="make test", run="make test"),
        Gate(name="lint", run="make lint", timeout=120.0),
    )
    assert (settings.setup, settings.merge, settings.merge_method) == (
        ("make install",),
        MergePolicy.AUTO,
        MergeMethod.SQUASH,
    )
    assert (settings.max_workers, settings.forge, settings.worktree_policy) == (7, "local", "team")
    assert settings.rework_rounds == 5
    assert settings.pull_request == PullRequestSettings(reviewers=("ada",), draft=True)


@pytest.mark.parametrize("text", ["", "# all commented out\n#merge: auto\n", "---\n"])
def test_settings_without_content_set_nothing(text: str) -> None:
    assert parse_settings(text, "f").model_fields_set == set()


def test_problems_of_settings_read_like_those_of_batches() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        parse_settings("merg: auto\nmax_workers: 0\nmax_workers: 1\nagents: {a: {comand: [x]}}\n", "main:f.yml")
    assert [str(problem) for problem in caught.value.problems] == [
        "main:f.yml:1: unknown key 'merg' (did you mean 'merge'?)",
        "main:f.yml:2: max_workers must be at least 1, found 0 (tasks at work at once)",
        "main:f.yml:3: the key 'max_workers' is here twice: first in line 2 (remove one; the first would be used)",
        "main:f.yml:4: agents.a: unknown key 'comand' (did you mean 'command'?)",
    ]


def test_an_order_is_complete() -> None:
    task = TaskSpec(id="TASK-001", description="x", timeout=30.0)
    (order,) = orders_of(batch_of(task, metadata={"sprint": "1"}))
    label = "mice-dolphins/sprint"
    assert order == TaskOrder(
        worker=worker_id("https://example.invalid/mice.git", label, "TASK-001"),
        batch=label,
        project="Mice Dolphins",
        repository="/repositories/mice",
        task=task,
        base_branch="main",
        branch="feature/task-001",
        worktree="/trees/mice-dolphins/task-001",
        agent=order.agent,
        metadata=order.metadata,
        poll_seconds=2.5,
    )
    assert (order.agent.command, order.agent.timeout) == (("ours",), 30.0)
    assert order.metadata.sprint == "1"
    assert TaskOrder.model_validate_json(order.model_dump_json()) == order


def test_the_batch_goes_over_the_settings() -> None:
    batch = batch_of(merge="manual", merge_method="rebase", gates=("true",), setup=("a",), max_workers=2)
    (order,) = orders_of(batch, parse_settings(SETTINGS, "f"))
    assert (order.merge, order.merge_method, order.setup) == (MergePolicy.MANUAL, MergeMethod.REBASE, ("a",))
    assert order.gates == (Gate(name="true", run="true"),)
    assert order.agent.command == ("ours",)
    assert apply_settings(batch, parse_settings(SETTINGS, "f")).max_workers == 2


def test_the_settings_go_over_the_defaults() -> None:
    batch, settings = batch_of(), parse_settings(SETTINGS, "f")
    (order,) = orders_of(batch, settings)
    assert (order.merge, order.merge_method, order.setup) == (MergePolicy.AUTO, MergeMethod.SQUASH, ("make install",))
    assert [gate.name for gate in order.gates] == ["make test", "lint"]
    assert order.policy_block == "team"
    whole = apply_settings(batch, settings)
    assert (whole.max_workers, whole.forge) == (7, "local")
    assert set(whole.agents) == {"code-author", "mine", "other"}
    assert whole.agents["code-author"] == OURS


def test_what_the_batch_left_out_is_still_known_after_a_trip_through_json() -> None:
    batch, settings = batch_of(), parse_settings(SETTINGS, "f")
    carried = BatchSpec.model_validate(batch.model_dump(mode="json"))
    assert orders_of(carried, settings) == orders_of(batch, settings)
    assert apply_settings(carried, settings).max_workers == 7


def test_a_batch_that_says_the_default_means_it() -> None:
    batch = batch_of(merge="manual", max_workers=3)
    (order,) = orders_of(BatchSpec.model_validate_json(batch.model_dump_json()), parse_settings(SETTINGS, "f"))
    assert order.merge is MergePolicy.MANUAL


def test_the_task_goes_over_the_batch() -> None:
    own = TaskSpec.model_validate(
        {"id": "a", "description": "x", "agent": "mine", "base_branch": "dev", "merge": "auto", "gates": []}
    )
    other = TaskSpec(id="b", description="x", agent="mine", timeout=5.0)
    first, second = orders_of(batch_of(own, other, merge="manual", gates=("true",)))
    assert (first.base_branch, first.merge, first.gates) == ("dev", MergePolicy.AUTO, ())
    assert (second.base_branch, second.merge, len(second.gates)) == ("main", MergePolicy.MANUAL, 1)
    assert (first.agent.timeout, second.agent.timeout) == (60.0, 5.0)


def test_the_policy_block_that_was_asked_for_goes_over_the_settings() -> None:
    (order,) = resolve_orders(batch_of(), parse_settings(SETTINGS, "f"), Place(), Path("/trees"), 5, "mine")
    assert order.policy_block == "mine"


def test_two_batches_and_two_repositories_have_different_workers() -> None:
    one, two = batch_of(), batch_of(name="other")
    elsewhere = resolve_orders(one, RepositorySettings(), Place(identity="x"), Path("/trees"), 5, None)
    moved = resolve_orders(one, RepositorySettings(), Place(path=Path("/moved")), Path("/trees"), 5, None)
    workers = [orders[0].worker for orders in (orders_of(one), orders_of(two), elsewhere)]
    assert len(set(workers)) == 3
    assert moved[0].worker == workers[0]


def test_an_agent_nobody_declared_is_refused() -> None:
    with pytest.raises(UsageError, match="nobody"):
        orders_of(batch_of(TaskSpec(id="a", description="x", agent="nobody")))


def test_how_pull_requests_are_opened_is_joined_from_settings_batch_and_task() -> None:
    task = TaskSpec(
        id="T-1", description="x", pull_request=PullRequestSettings(draft=False, reviewers=("ada", "shop/web"))
    )
    plain = TaskSpec(id="T-2", description="x")
    ours = {"reviewers": ["grace"], "assignees": ["ada"], "create_milestone": True}
    one, other = orders_of(batch_of(task, plain, pull_request=ours), parse_settings(SETTINGS, "f"))
    assert one.pull_request == PullRequestSettings(
        draft=False, reviewers=("ada", "grace", "shop/web"), assignees=("ada",), create_milestone=True
    )
    assert other.pull_request == one.pull_request.model_copy(update={"draft": True, "reviewers": ("ada", "grace")})
    carried = BatchSpec.model_validate_json(batch_of(task, plain, pull_request=ours).model_dump_json())
    assert orders_of(carried, parse_settings(SETTINGS, "f")) == (one, other)


def test_forge_and_rounds_reach_the_order() -> None:
    (default,) = orders_of(batch_of())
    assert (default.forge, default.rework_rounds, default.pull_request) == (None, 3, PullRequestSettings())
    (settled,) = orders_of(batch_of(forge="github", rework_rounds=0), parse_settings(SETTINGS, "f"))
    assert (settled.forge, settled.rework_rounds) == (ForgeKind.GITHUB, 0)
    (shared,) = orders_of(batch_of(), parse_settings(SETTINGS, "f"))
    assert (shared.forge, shared.rework_rounds) == (ForgeKind.LOCAL, 5)


def test_the_tasks_milestone_goes_over_the_sprint() -> None:
    own, plain = TaskSpec(id="a", description="x", milestone="2.4"), TaskSpec(id="b", description="x")
    assert [order.milestone for order in orders_of(batch_of(own, plain, metadata={"sprint": " Sprint\n1 "}))] == [
        "2.4",
        "Sprint 1",
    ]
    assert [order.milestone for order in orders_of(batch_of(own, plain))] == ["2.4", None]
