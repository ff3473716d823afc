"""Makes a model from a document, or says in our own words, with lines, everything that keeps it from being one."""

from __future__ import annotations

import shlex
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from parallel_workers.errors import Problem
from parallel_workers.reading.model_fields import Place, find_place, read_as
from parallel_workers.reading.suggestions import suggest
from parallel_workers.reading.yaml_documents import Document
from parallel_workers.reading.yaml_nodes import Path, ScalarNode, find_node, mapping_of
from parallel_workers.spec_values import COMMENT_HINT

_Made = TypeVar("_Made", bound=BaseModel)

_MAX_SUGGESTIONS = 50
"""Suggestions cost a comparison with every known name; a file that is all wrong gets them for its first errors."""
_MAX_SHOWN = 40
_EXTENSION = "x-"
"""Keys at the top that begin so are the user's own: a place to keep anchors, as in Compose files."""

_SPELT_OUT = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
"""What people write for true and false; in YAML 1.2, or in quotes, it is text."""

_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def make_model(model: type[_Made], document: Document) -> tuple[_Made | None, tuple[Problem, ...]]:
    """The model the document describes, or None and every problem there is with keys, types and values."""
    data = read_as(document.root, model)
    if not isinstance(data, dict):
        found = _describe(data)
        hint = f"begin with '{_known_keys(model)[0]}:'"
        return None, (Problem(document.file, document.root.line, f"expected keys and values, found {found}", hint),)
    known = {key: value for key, value in data.items() if not key.startswith(_EXTENSION)}
    try:
        return model.model_validate(known), ()
    except ValidationError as error:
        # When every task is wrong pydantic adds that the list came out too short: no news.
        details = [one for one in error.errors(include_url=False) if one["type"] != "too_short" or not one["input"]]
    return None, tuple(
        _translate(detail, model, document, with_suggestion=index < _MAX_SUGGESTIONS)
        for index, detail in enumerate(details)
    )


def _translate(detail: ErrorDetails, model: type[BaseModel], document: Document, *, with_suggestion: bool) -> Problem:
    # pydantic marks an error in a mapping's key with a last step "[key]".
    in_key = detail["loc"][-1:] == ("[key]",)
    path: Path = detail["loc"][:-1] if in_key else detail["loc"]
    place = find_place(model, path)
    if detail["type"] == "missing":
        line = document.line_of(path[:-1])
        return Problem(
            document.file, line, f"{_around(path, document)}the key '{path[-1]}' is missing", _purpose(place)
        )
    line = document.line_of(path)
    if detail["type"] == "extra_forbidden":
        known = _known_keys(place.owner) if place.owner is not None else ()
        hint = suggest(str(path[-1]), known) if with_suggestion else ""
        return Problem(document.file, line, f"{_around(path, document)}unknown key {_show(str(path[-1]))}", hint)
    message, hint = _explain(detail, place)
    subject = f"{_around(path, document)}a name" if in_key else _name_place(path, document)
    return Problem(document.file, line, f"{subject} {message}", hint)


def _known_keys(model: type[BaseModel]) -> tuple[str, ...]:
    """The model's keys, those first that must be there."""
    return tuple(sorted(model.model_fields, key=lambda name: not model.model_fields[name].is_required()))


def _around(path: Path, document: Document) -> str:
    """What a key belongs to, to stand before a sentence about it; '' at the top of the file."""
    if len(path) <= 1:
        return ""
    return f"{_name_place(path[:-1], document)}: "


def _explain(detail: ErrorDetails, place: Place) -> tuple[str, str]:
    """What is wrong with a value, to stand after its name, and the way out."""
    kind, value = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    if kind == "refused":
        shown = f"{_show(value)} " if isinstance(value, str) and value.strip() else ""
        explained = f"{shown}{context['what']}", context["hint"]
    elif kind in ("too_short", "string_type") and not value:
        explained = "is empty", COMMENT_HINT if kind == "string_type" else _purpose(place)
    elif kind in _EXPECTED and value is None:
        explained = "is empty", _purpose(place)
    elif kind in _EXPECTED:
        explained = f"must be {_EXPECTED[kind]}, found {_describe(value)}", _mend(kind, value, place)
    elif kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        explained = f"must be {words} {context[bound]:,.12g}, found {_describe(value)}", _purpose(place)
    elif kind in ("enum", "literal_error"):
        choices = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        explained = f"must be {context['expected']}, found {_describe(value)}", suggest(str(value), choices)
    elif kind == "string_too_long":
        explained = f"is longer than {context['max_length']} characters: {len(value)}", ""
    else:
        explained = f"is not valid: {detail['msg']}", _purpose(place)
    return explained


def _mend(kind: str, value: object, place: Place) -> str:
    if kind == "tuple_type" and isinstance(value, (str, int, float)):
        return f"write a list: [{', '.join(_split(str(value)))}]" if len(str(value)) <= _MAX_SHOWN else "write a list"
    if kind in ("int_type", "float_type") and isinstance(value, str) and value.strip().isdecimal():
        return "remove the quotes"
    if kind == "bool_type" and isinstance(value, str) and value.lower() in _SPELT_OUT:
        return f"write {_SPELT_OUT[value.lower()]}, without quotes"
    return _purpose(place)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text.replace(",", " "))
    except ValueError:
        return [text]


def _purpose(place: Place) -> str:
    return (place.field.description or "") if place.field is not None else ""


def _name_place(path: Path, document: Document) -> str:
    """The name of the thing at `path`, such as "task 'TASK-001': gates[0].run"."""
    around, rest = "", path
    if len(path) > 1 and path[0] == "tasks" and isinstance(path[1], int):
        around, rest = f"task {_name_task(path[1], document)}", path[2:]
    name = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest).removeprefix(".")
    return ": ".join(part for part in (around, name) if part)


def _name_task(index: int, document: Document) -> str:
    task = mapping_of(find_node(document.root, ("tasks", index))[1])
    node = task["id"].node if "id" in task else None
    return _show(node.text) if isinstance(node, ScalarNode) and node.text else f"number {index + 1}"


def _describe(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"text {_show(value)}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return str(value)


def _show(text: str) -> str:
    """In quotes, on one line, cut when long."""
    line = " ".join(text.split())
    return f"'{line if len(line) <= _MAX_SHOWN else line[: _MAX_SHOWN - 1] + '…'}'"
