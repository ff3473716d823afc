"""Cycles among tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence


def find_cycles(dependencies: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Cycles of the graph task id → ids it depends on, each once, begun at its first task in the mapping's order.

    Self-dependencies and unknown ids are left out: they are reported on their own. There is one cycle for each
    dependency that closes one when the graph is walked in order, so that without those it has none. Iterative:
    O(tasks + dependencies + length of the cycles).
    """
    order = {task: index for index, task in enumerate(dependencies)}
    done: set[str] = set()
    found: dict[tuple[str, ...], None] = {}
    for root in dependencies:
        if root not in done:
            for cycle in _walk(root, dependencies, done):
                first = min(range(len(cycle)), key=lambda place: order[cycle[place]])
                found.setdefault((*cycle[first:], *cycle[:first]))
    return tuple(found)


def _walk(root: str, dependencies: Mapping[str, Sequence[str]], done: set[str]) -> Iterator[tuple[str, ...]]:
    """Depth first from `root`; a dependency on a task of the current path closes a cycle."""
    path, places = [root], {root: 0}
    waiting: list[Iterator[str]] = [iter(dependencies[root])]
    while waiting:
        following = next(waiting[-1], None)
        if following is None:
            waiting.pop()
            left = path.pop()
            del places[left]
            done.add(left)
        elif following in places:
            if following != path[-1]:
                yield tuple(path[places[following] :])
        elif following in dependencies and following not in done:
            places[following] = len(path)
            path.append(following)
            waiting.append(iter(dependencies[following]))


_SHOWN = 12


def show_cycle(cycle: Iterable[str]) -> str:
    """`A → B → A`; the middle of a very long one is left out."""
    names = list(cycle)
    if len(names) > _SHOWN:
        left_out = len(names) - _SHOWN + 1
        names = [*names[: _SHOWN // 2], f"… {left_out} more …", *names[len(names) - _SHOWN // 2 + 1 :]]
    return " → ".join([*names, names[0]])
