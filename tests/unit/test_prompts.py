"""What an agent is told, and its environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_workers.adapters.agents.output import find_verdict
from parallel_workers.environment import SecretPolicy
from parallel_workers.profiles import shipped_profiles
from parallel_workers.prompts import RESULT_LINE, render_prompt, worker_environment, worker_port
from parallel_workers.spec import AgentProfile, Gate, Metadata, TaskOrder, TaskSpec


def make_order(task: dict[str, Any] | None = None, **changes: Any) -> TaskOrder:
    """An order with passing defaults."""
    spec = TaskSpec(**{"id": "TASK-001", "description": "Add a login page", **(task or {})})
    values: dict[str, Any] = {
        "worker": "worker-0123abcd",
        "batch": "tasks",
        "project": "shop",
        "repository": "/src/shop",
        "task": spec,
        "base_branch": "main",
        "branch": "feature/task-001",
        "worktree": "/w/shop/task-001",
        "agent": AgentProfile(command=("agent",)),
    }
    return TaskOrder(**{**values, **changes})


def test_the_prompt_says_role_task_place_and_how_to_finish() -> None:
    prompt = render_prompt(make_order(task={"prompt": "Use the old form."}), "You are a tester.")
    assert prompt.startswith("You are a tester.\n")
    for said in ("TASK-001", "Add a login page", "Use the old form.", "/w/shop/task-001", "feature/task-001", "main"):
        assert said in prompt
    assert RESULT_LINE in prompt
    assert "# Gates" not in prompt
    assert "so far" not in prompt
    assert "Planning" not in prompt
    assert "checked out" not in prompt


def test_what_is_configured_is_said() -> None:
    order = make_order(
        task={"paths": ("src/login",)},
        gates=(Gate(name="tests", run="make test"),),
        metadata=Metadata(sprint="Sprint 1", complexity_level=2),
    )
    prompt = render_prompt(order, "")
    assert "- tests: `make test`" in prompt
    assert "changed: src/login." in prompt
    assert "Planning: sprint Sprint 1, complexity level 2." in prompt
    assert prompt.startswith("You are a software engineer.")


def test_feedback_comes_last() -> None:
    prompt = render_prompt(make_order(), "role", "tests failed: 1 != 2\n")
    assert prompt.endswith("mend this:\n\ntests failed: 1 != 2\n")


@pytest.mark.parametrize("name", sorted(shipped_profiles()))
def test_an_agent_that_repeats_its_prompt_gives_no_verdict(name: str) -> None:
    prompt = render_prompt(make_order(), shipped_profiles()[name].instructions)
    assert find_verdict(prompt.encode()) is None
    words = "\n".join(prompt.replace(RESULT_LINE, f"\n{RESULT_LINE}").splitlines())
    assert find_verdict(words.encode()) is None


@given(st.text(max_size=40))
def test_a_port_is_in_its_range_and_stays_the_same(worker: str) -> None:
    assert 20000 <= worker_port(worker) < 30000
    assert worker_port(worker) == worker_port(worker)


def test_ports_spread() -> None:
    assert len({worker_port(f"worker-{number:08x}") for number in range(100)}) > 90


def test_the_environment_says_who_the_worker_is_and_holds_no_secret() -> None:
    order = make_order(agent=AgentProfile(command=("agent",), env=("GH_TOKEN",)))
    policy = SecretPolicy(grants={"code-author": ("MY_API_KEY",), "test-author": ("OTHER_KEY",)})
    host = {"PATH": "/bin", "GH_TOKEN": "1", "MY_API_KEY": "2", "OTHER_KEY": "3", "FOO_TOKEN": "4", "RANDOM": "5"}
    assert worker_environment(order, host, policy, Path("/p/prompt.md"), 20001) == {
        "PATH": "/bin",
        "GH_TOKEN": "1",
        "MY_API_KEY": "2",
        "PARALLEL_WORKERS_TASK_ID": "TASK-001",
        "PARALLEL_WORKERS_WORKER_ID": "worker-0123abcd",
        "PARALLEL_WORKERS_DESCRIPTION": "Add a login page",
        "PARALLEL_WORKERS_AGENT": "code-author",
        "PARALLEL_WORKERS_BRANCH": "feature/task-001",
        "PARALLEL_WORKERS_BASE_BRANCH": "main",
        "PARALLEL_WORKERS_WORKTREE": "/w/shop/task-001",
        "PARALLEL_WORKERS_PROMPT_FILE": "/p/prompt.md",
        "PARALLEL_WORKERS_PORT": "20001",
    }


def test_what_the_host_set_about_a_worker_is_not_handed_on() -> None:
    host = {"PARALLEL_WORKERS_TASK_ID": "outer", "PARALLEL_WORKERS_RUN": "outer", "PARALLEL_WORKERS_HOME": "/h"}
    kept = worker_environment(make_order(), host, SecretPolicy(), Path("/p"), 20001)
    assert kept["PARALLEL_WORKERS_TASK_ID"] == "TASK-001"
    assert not {"PARALLEL_WORKERS_RUN", "PARALLEL_WORKERS_HOME"} & kept.keys()


def test_the_longest_description_fits_into_one_variable() -> None:
    """Linux holds 128 KiB in one."""
    order = make_order(task={"description": "😀" * 20_000})
    told = worker_environment(order, {}, SecretPolicy(), Path("/p"), 20001)["PARALLEL_WORKERS_DESCRIPTION"]
    assert told == "😀" * 20_000
    assert len(told.encode()) < 128 * 1024 - 100
