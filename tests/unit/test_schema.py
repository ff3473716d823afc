"""The JSON Schema editors use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from parallel_workers.reading.yaml_documents import load_document
from parallel_workers.schema import batch_schema, schema_text

ROOT = Path(__file__).parents[2]
HOLDS: dict[str, Any] = {"project": "p", "tasks": [{"id": "a", "description": "x"}]}


def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(batch_schema())


def test_it_is_a_schema_of_its_dialect() -> None:
    jsonschema.Draft202012Validator.check_schema(batch_schema())
    assert batch_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("file", sorted((ROOT / "examples/batches").glob("*.yml")), ids=lambda path: path.stem)
def test_the_examples_hold(file: Path) -> None:
    validator().validate(load_document(file).data)


def _set(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    changed: dict[str, Any] = {"project": "p", "tasks": [{"id": "a", "description": "x"}], "metadata": {}}
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("surprise",), 1),
        (("name",), "x"),
        (("tasks", 0, "surprise"), 1),
        (("gates",), [{"name": "a", "run": "b", "surprise": 1}]),
        (("agents",), {"a": {"surprise": 1}}),
        (("tasks",), []),
        (("tasks", 0, "priority"), 11),
        (("tasks", 0, "timeout"), "soon"),
        (("merge",), "always"),
        (("metadata", "phase"), "x"),
    ],
)
def test_what_does_not_hold_is_refused(path: tuple[str | int, ...], value: object) -> None:
    validator().validate(HOLDS)
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(_set(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("x-shared",), {"anything": [1]}),
        (("tasks", 0, "gates"), ["make test", {"name": "a", "run": "b", "timeout": "5m"}]),
        (("tasks", 0, "timeout"), 90),
        (("metadata", "owner"), "payments"),
    ],
)
def test_what_holds_is_accepted(path: tuple[str | int, ...], value: object) -> None:
    validator().validate(_set(path, value))


def _properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    models = {"batch": schema, **schema["$defs"]}
    for model, definition in models.items():
        for name, field in definition.get("properties", {}).items():
            yield f"{model}.{name}", field


def test_every_key_says_what_it_is_for() -> None:
    properties = dict(_properties(batch_schema()))
    assert len(properties) > 35
    assert [name for name, field in properties.items() if not field.get("description")] == []


def test_the_shipped_schema_is_the_current_one() -> None:
    shipped = (ROOT / "docs/batch.schema.json").read_text(encoding="utf-8")
    assert shipped == schema_text(), "write it anew: parallel-workers schema > docs/batch.schema.json"
