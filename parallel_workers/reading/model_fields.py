"""Looks into pydantic models: what a key of a written file should hold, and how its text is to be read."""

from __future__ import annotations

import types
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from parallel_workers.reading.yaml_nodes import MappingNode, Node, Path, ScalarNode, SequenceNode, to_plain

Model = type[BaseModel]


class Place(NamedTuple):
    """What stands at a path: the model that owns it, and the field, when it is one."""

    owner: Model | None
    field: FieldInfo | None


def find_place(model: Model, path: Path) -> Place:
    """The nearest model around `path` below `model`, and the field at its end or around it."""
    owner: Model | None = model
    field: FieldInfo | None = None
    annotation: Any = model
    for step in path:
        core = _core(annotation)
        if isinstance(core, type) and issubclass(core, BaseModel):
            owner = core
            field = core.model_fields.get(str(step))
            annotation = field.annotation if field is not None else None
        else:
            annotation = _inner(core)
    return Place(owner, field)


def read_as(node: Node, annotation: Any) -> Any:
    """The node's data for a field of type `annotation`.

    Where text is wanted, a number or `true` is taken as written (`id: 007`); a key left empty (`labels:`) counts as
    absent when it has a default.
    """
    core = _core(annotation)
    match node:
        case ScalarNode():
            return node.text if node.value is not None and _wants_text(core) else node.value
        case SequenceNode():
            return [read_as(item, _inner(core)) for item in node.items]
        case MappingNode():
            return _read_mapping(node, core)


def _read_mapping(node: MappingNode, core: Any) -> dict[str, Any]:
    if not (isinstance(core, type) and issubclass(core, BaseModel)):
        return {key: read_as(entry.node, _inner(core)) for key, entry in node.entries.items()}
    read: dict[str, Any] = {}
    for key, entry in node.entries.items():
        field = core.model_fields.get(key)
        if field is None:
            read[key] = to_plain(entry.node)
        elif field.is_required() or not _is_null(entry.node):
            read[key] = read_as(entry.node, field.annotation)
    return read


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value is None


def _wants_text(core: Any) -> bool:
    if get_origin(core) is Literal:
        return True
    # A mapping in short form, such as a gate, is written as text, too.
    return isinstance(core, type) and issubclass(core, (str, Enum, BaseModel))


def _core(annotation: Any) -> Any:
    """The type itself: `Annotated` and `| None` taken off."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            annotation = next(member for member in get_args(annotation) if member is not type(None))
        else:
            return annotation


def _inner(core: Any) -> Any:
    """The type of what a tuple or mapping holds; None for anything else."""
    arguments = get_args(core)
    origin = get_origin(core)
    if origin is tuple and arguments:
        return arguments[0]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return arguments[1]
    return None
