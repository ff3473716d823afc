"""Reading the process table, without any process."""

from __future__ import annotations

from parallel_workers.adapters.agents.process_tree import Process, descendants, parse_stat


def process(pid: int, parent: int) -> Process:
    """A process of which only the family counts."""
    return Process(pid, parent, 1.0, alive=True, cpu_seconds=0.0, rss_bytes=0)


def test_a_name_with_spaces_and_parentheses_is_read_over() -> None:
    rest = "4 5 6 0 -1 0 0 0 0 0 100 50 20 30 20 0 1 0 777 1000 9 18446744073709551615"
    parsed = parse_stat(12, f"12 (a) b (c) R {rest}".encode())
    assert parsed is not None
    assert (parsed.pid, parsed.parent, parsed.started, parsed.alive) == (12, 4, 777.0, True)
    assert parsed.cpu_seconds > 0
    zombie = parse_stat(12, f"12 (x) Z {rest}".encode())
    assert zombie is not None
    assert not zombie.alive
    assert parse_stat(12, b"12 (x) R 1 2") is None


def test_descendants_are_all_below_and_nothing_else() -> None:
    table = {each.pid: each for each in (process(2, 1), process(3, 2), process(4, 3), process(5, 1), process(6, 6))}
    assert {each.pid for each in descendants(table, [2])} == {3, 4}
    assert {each.pid for each in descendants(table, [1])} == {2, 3, 4, 5}
    assert descendants(table, [4]) == ()
    assert {each.pid for each in descendants(table, [6])} == {6}
