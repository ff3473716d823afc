"""From a batch file to a checked `BatchSpec`, or to everything that is wrong with it, at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from parallel_workers.errors import InvalidSpecError, Problem
from parallel_workers.profiles import SHIPPED_NAMES
from parallel_workers.reading.model_checks import make_model
from parallel_workers.reading.spec_checks import WrittenTask, check_agents, check_tasks, read_tasks
from parallel_workers.reading.yaml_documents import Document, load_document
from parallel_workers.reading.yaml_nodes import ScalarNode, mapping_of
from parallel_workers.settings import RepositorySettings
from parallel_workers.spec import BatchFile, BatchSpec
from parallel_workers.spec_values import find_text_fault

SettingsLookup = Callable[[str, str], RepositorySettings]
"""Answers the settings of a repository (path) as a branch has them; may raise InvalidSpecError for their file."""


def load_batch(path: Path, settings_of: SettingsLookup | None = None) -> BatchSpec:
    """The batch in the file at `path`, named after the file.

    `settings_of` is asked, once, when a task names an agent that is neither shipped nor declared in the batch; without
    it such an agent is an error.

    Raises:
        InvalidSpecError: the file cannot be read, or does not hold; carries all problems, in line order.
    """
    return check_batch(load_document(path), str(path), path.stem, settings_of)


def check_batch(document: Document, file: str, name: str, settings_of: SettingsLookup | None = None) -> BatchSpec:
    """The batch a document describes. `file` is for messages, `name` becomes part of every worker id.

    Raises:
        InvalidSpecError: with all problems, in line order.
    """
    document = Document(file, document.root, tuple(problem._replace(file=file) for problem in document.problems))
    made, problems = make_model(BatchFile, document)
    tasks = read_tasks(document)
    fault = find_text_fault(name)
    every = [
        *document.problems,
        *problems,
        *check_tasks(document, tasks),
        *_check_agents(document, tasks, settings_of),
        *([Problem(file, 1, f"the file's name {fault}", "rename it")] if fault else []),
    ]
    if every or made is None:
        ordered = sorted(dict.fromkeys(every), key=lambda problem: (problem.file != file, problem.line))
        raise InvalidSpecError(tuple(ordered))
    return BatchSpec(name=name, **{field: getattr(made, field) for field in made.model_fields_set})


def _check_agents(
    document: Document, tasks: tuple[WrittenTask, ...], settings_of: SettingsLookup | None
) -> tuple[Problem, ...]:
    top = mapping_of(document.root)
    known = dict.fromkeys((*SHIPPED_NAMES, *(mapping_of(top["agents"].node) if "agents" in top else ())))
    problems = check_agents(document.file, tasks, known)
    if not problems or settings_of is None:
        return problems
    try:
        settings = settings_of(_text_at(document, "repository"), _text_at(document, "base_branch"))
    except InvalidSpecError as error:
        return (*problems, *error.problems)
    return check_agents(document.file, tasks, dict.fromkeys((*known, *settings.agents)))


def _text_at(document: Document, key: str) -> str:
    """What the file says, or the default."""
    entry = mapping_of(document.root).get(key)
    if entry is not None and isinstance(entry.node, ScalarNode) and entry.node.value is not None:
        return entry.node.text
    return str(BatchFile.model_fields[key].default)
