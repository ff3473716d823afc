"""Cycles among tasks."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_workers.reading.dependency_graph import find_cycles, show_cycle

_NAMES = [f"t{number}" for number in range(8)]
_GRAPHS = st.fixed_dictionaries({name: st.lists(st.sampled_from(_NAMES), max_size=3) for name in _NAMES})


def test_no_cycle_in_a_diamond() -> None:
    assert find_cycles({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == ()


def test_a_cycle_begins_with_the_first_task_of_the_file() -> None:
    assert find_cycles({"a": [], "b": ["c"], "c": ["a", "b"]}) == (("b", "c"),)
    assert find_cycles({"a": ["z"], "z": ["y"], "y": ["a"]}) == (("a", "z", "y"),)


def test_two_cycles_through_one_task_are_both_found() -> None:
    assert find_cycles({"a": ["b", "c"], "b": ["a"], "c": ["a"]}) == (("a", "b"), ("a", "c"))


def test_self_dependencies_and_unknown_ids_are_left_to_others() -> None:
    assert find_cycles({"a": ["a", "nowhere"]}) == ()


def test_a_long_chain_needs_no_recursion() -> None:
    chain = {f"t{i}": [f"t{i + 1}"] for i in range(20_000)}
    assert find_cycles({**chain, "t20000": []}) == ()
    (cycle,) = find_cycles({**chain, "t20000": ["t0"]})
    assert len(cycle) == 20_001
    assert show_cycle(cycle).startswith("t0 → t1 → ")
    assert "more" in show_cycle(cycle)
    assert show_cycle(cycle).endswith(" → t20000 → t0")


def test_a_cycle_is_shown_closed() -> None:
    assert show_cycle(("a", "b")) == "a → b → a"


@given(_GRAPHS)
@settings(deadline=None)
def test_cycles_are_real_distinct_and_found_whenever_there_are_any(graph: dict[str, list[str]]) -> None:
    cycles = find_cycles(graph)
    assert len(set(cycles)) == len(cycles)
    for cycle in cycles:
        assert len(set(cycle)) == len(cycle) > 1
        for task, needed in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert needed in graph[task]
    acyclic = True
    try:
        TopologicalSorter({task: set(needed) - {task} for task, needed in graph.items()}).prepare()
    except CycleError:
        acyclic = False
    assert acyclic == (not cycles)
