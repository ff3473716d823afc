"""Agent instructions that lie in the repository: read from the base branch, never from a worker's worktree."""

from __future__ import annotations

from collections.abc import Callable

from parallel_workers.errors import UsageError
from parallel_workers.profiles import names_instructions_file
from parallel_workers.spec import TaskOrder


def fill_instructions(
    orders: tuple[TaskOrder, ...], read_base_file: Callable[[str], str | None]
) -> tuple[TaskOrder, ...]:
    """The orders with instructions that name a file replaced by that file's text; each file is read once.

    Raises:
        UsageError: the base branch has no such file.
    """
    texts: dict[str, str] = {}
    for order in orders:
        name = order.agent.instructions.strip()
        if names_instructions_file(name) and name not in texts:
            text = read_base_file(name)
            if text is None:
                raise UsageError(
                    f"agent {order.task.agent}: {name} (instructions) is not on the batch's base branch; commit it"
                )
            texts[name] = text.strip()
    return tuple(_with_text(order, texts) for order in orders)


def _with_text(order: TaskOrder, texts: dict[str, str]) -> TaskOrder:
    text = texts.get(order.agent.instructions.strip())
    if text is None:
        return order
    return order.model_copy(update={"agent": order.agent.model_copy(update={"instructions": text})})
