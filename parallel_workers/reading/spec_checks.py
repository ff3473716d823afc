"""What no single value can show: whether the tasks of a batch fit together. Works on what was written, valid or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from parallel_workers.errors import Problem
from parallel_workers.identity import BRANCH_PREFIX, branch_name, slugify
from parallel_workers.reading.dependency_graph import find_cycles, show_cycle
from parallel_workers.reading.suggestions import nearest, suggest
from parallel_workers.reading.yaml_documents import Document
from parallel_workers.reading.yaml_nodes import Entry, Node, ScalarNode, find_node, items_of, mapping_of
from parallel_workers.spec import Metadata

_MAX_SUGGESTIONS = 50
_DEFAULT_BASE = "main"
_SLIP = 0.8


class Written(NamedTuple):
    """A piece of text and its line."""

    text: str
    line: int


class WrittenTask(NamedTuple):
    """What can be told of a task before anything is known to be valid."""

    id: Written
    dependencies: tuple[Written, ...]
    agent: Written | None
    base_branch: Written | None


def read_tasks(document: Document) -> tuple[WrittenTask, ...]:
    """The tasks that have an id; what has none is reported where types are checked."""
    top = mapping_of(document.root)
    tasks = []
    for node in items_of(top["tasks"].node if "tasks" in top else None):
        entries = mapping_of(node)
        name = _written(entries.get("id"))
        if name is not None:
            dependencies = entries.get("dependencies")
            listed = tuple(_texts(dependencies.node)) if dependencies else ()
            agent, base = _written(entries.get("agent")), _written(entries.get("base_branch"))
            tasks.append(WrittenTask(name, listed, agent, base))
    return tuple(tasks)


def check_tasks(document: Document, tasks: tuple[WrittenTask, ...]) -> tuple[Problem, ...]:
    """Ids used twice or colliding, dependencies that do not exist or go round, branches that stand in the way."""
    file = document.file
    return (
        *_check_ids(file, tasks),
        *_check_dependencies(file, tasks),
        *_check_cycles(file, tasks),
        *_check_branches(document, tasks),
        *_check_gates(document),
        *_check_metadata(document),
    )


def check_agents(file: str, tasks: tuple[WrittenTask, ...], known: Collection[str]) -> tuple[Problem, ...]:
    """Agents that nobody declared."""
    names = tuple(known)
    unknown = (task for task in tasks if task.agent is not None and task.agent.text not in known)
    return tuple(
        Problem(
            file,
            task.agent.line,
            f"task '{task.id.text}': unknown agent '{task.agent.text}'",
            suggest(task.agent.text, names) if index < _MAX_SUGGESTIONS else "",
        )
        for index, task in enumerate(unknown)
        if task.agent is not None
    )


def _written(entry: Entry | None) -> Written | None:
    if entry is None or not isinstance(entry.node, ScalarNode) or entry.node.value is None:
        return None
    return Written(entry.node.text, entry.line)


def _texts(node: Node) -> Iterator[Written]:
    for item in items_of(node):
        if isinstance(item, ScalarNode) and item.value is not None:
            yield Written(item.text, item.line)


def _check_ids(file: str, tasks: tuple[WrittenTask, ...]) -> Iterator[Problem]:
    lines: dict[str, int] = {}
    slugs: dict[str, Written] = {}
    for task in tasks:
        name, line = task.id
        if name in lines:
            yield Problem(file, line, f"the id '{name}' is used twice: first in line {lines[name]}", "rename one")
            continue
        lines[name] = line
        slug = slugify(name)
        if slug and slug in slugs:
            other = slugs[slug]
            what = f"the ids '{name}' and '{other.text}' (line {other.line}) both become the branch {branch_name(name)}"
            yield Problem(file, line, what, "rename one")
        slugs.setdefault(slug, task.id)


def _check_dependencies(file: str, tasks: tuple[WrittenTask, ...]) -> Iterator[Problem]:
    known = tuple(dict.fromkeys(task.id.text for task in tasks))
    ids = frozenset(known)
    suggestions = 0
    for task in tasks:
        seen: set[str] = set()
        for name, line in task.dependencies:
            if name in seen:
                yield Problem(
                    file, line, f"task '{task.id.text}': the dependency '{name}' is listed twice", "remove one"
                )
            elif name == task.id.text:
                yield Problem(file, line, f"task '{name}' depends on itself", "remove it")
            elif name not in ids:
                suggestions += 1
                hint = _suggest_task(name, known, task) if suggestions <= _MAX_SUGGESTIONS else ""
                yield Problem(file, line, f"task '{task.id.text}': unknown dependency '{name}'", hint)
            seen.add(name)


def _suggest_task(name: str, known: tuple[str, ...], task: WrittenTask) -> str:
    return suggest(name, (other for other in known if other != task.id.text))


def _check_cycles(file: str, tasks: tuple[WrittenTask, ...]) -> Iterator[Problem]:
    first: dict[str, WrittenTask] = {}
    for task in tasks:
        first.setdefault(task.id.text, task)
    graph = {name: [dependency.text for dependency in task.dependencies] for name, task in first.items()}
    for cycle in find_cycles(graph):
        begin = first[cycle[0]]
        line = next(found.line for found in begin.dependencies if found.text == cycle[1])
        yield Problem(file, line, f"dependency cycle: {show_cycle(cycle)}", "remove one of these dependencies")


def _check_branches(document: Document, tasks: tuple[WrittenTask, ...]) -> Iterator[Problem]:
    """A base branch that a task's own branch would be, or could not exist beside."""
    common = _written(mapping_of(document.root).get("base_branch")) or Written(_DEFAULT_BASE, document.root.line)
    folder = BRANCH_PREFIX.rstrip("/")
    for base in dict.fromkeys((common, *(task.base_branch for task in tasks if task.base_branch))):
        if base.text == folder:
            what = f"base_branch '{base.text}': git cannot have it beside {BRANCH_PREFIX}<task>"
            yield Problem(document.file, base.line, what, "rename that branch")
    for task in tasks:
        base = task.base_branch or common
        if base.text == branch_name(task.id.text):
            what = f"task '{task.id.text}': base_branch '{base.text}' is the branch the task itself is worked on"
            yield Problem(document.file, base.line, what, "name the branch to begin from")


def _check_gates(document: Document) -> Iterator[Problem]:
    """Gates with one name: a report could not tell them apart."""
    tasks = find_node(document.root, ("tasks",))[1]
    for owner in (document.root, *items_of(tasks)):
        gates = mapping_of(owner).get("gates")
        names = _gate_names(items_of(gates.node)) if gates is not None else ()
        lines: dict[str, int] = {}
        for name, line in names:
            if name in lines:
                yield Problem(document.file, line, f"the gate '{name}' is here twice: first in line {lines[name]}")
            lines.setdefault(name, line)


def _gate_names(gates: Iterable[Node]) -> Iterator[Written]:
    for gate in gates:
        name = Written(gate.text, gate.line) if isinstance(gate, ScalarNode) else _written(mapping_of(gate).get("name"))
        if name is not None:
            yield name


def _check_metadata(document: Document) -> Iterator[Problem]:
    """Metadata may have keys of the user's own, but one almost like ours is a slip."""
    top = mapping_of(document.root)
    known = tuple(Metadata.model_fields)
    for key, entry in mapping_of(top["metadata"].node).items() if "metadata" in top else ():
        meant = None if key in known else nearest(key, known, cutoff=_SLIP)
        if meant is not None:
            yield Problem(document.file, entry.line, f"metadata: unknown key '{key}'", f"did you mean '{meant}'?")
