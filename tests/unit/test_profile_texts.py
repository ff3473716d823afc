"""Instructions that name a file are read from the base branch."""

from __future__ import annotations

import pytest

from parallel_workers.errors import UsageError
from parallel_workers.profile_texts import fill_instructions
from parallel_workers.spec import AgentProfile, TaskOrder, TaskSpec


def order(instructions: str) -> TaskOrder:
    return TaskOrder(
        worker="worker-00000000",
        batch="p/b",
        project="p",
        repository="/r",
        task=TaskSpec(id="T", description="d"),
        base_branch="main",
        branch="feature/t",
        worktree="/w",
        agent=AgentProfile(command=("true",), instructions=instructions),
    )


def test_a_file_is_read_once_and_text_is_left_alone() -> None:
    asked: list[str] = []

    def read(name: str) -> str:
        asked.append(name)
        return "be careful\n"

    filled = fill_instructions((order("docs/how.md"), order("docs/how.md"), order("just do it")), read)
    assert [each.agent.instructions for each in filled] == ["be careful", "be careful", "just do it"]
    assert asked == ["docs/how.md"]


def test_a_missing_file_is_named_with_the_way_out() -> None:
    with pytest.raises(UsageError, match=r"docs/none.md .* is not on the batch"):
        fill_instructions((order("docs/none.md"),), lambda _name: None)
