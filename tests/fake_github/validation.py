"""Answers and request bodies are held against githubkit's models of GitHub's published description."""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Iterable
from types import GenericAlias
from typing import Any

from pydantic import TypeAdapter, ValidationError

_SEEN_AT_MOST = 20_000
# By name: mypy would read thousands of classes.
_published: Any = importlib.import_module("githubkit_schemas.v2022_11_28.models")
_valid: set[tuple[str, bytes]] = set()
"""Digests of answers that were found good: most are told more than once."""


def _model(name: str) -> Any:
    return getattr(_published, name)


@functools.cache
def _adapter(name: str) -> TypeAdapter[Any]:
    inner = name.removeprefix("list[").removesuffix("]")
    model = _model(inner)
    shape: Any = model if inner == name else GenericAlias(list, (model,))
    return TypeAdapter(shape)


@functools.cache
def known_fields(name: str) -> frozenset[str]:
    """Names that a model of an object has, as they stand in JSON."""
    return frozenset(field.alias or key for key, field in _model(name).model_fields.items())


def fault_in_answer(name: str, raw: bytes, body: Any) -> str:
    """What is wrong with an answer of this model; '' when it is as published."""
    digest = hashlib.sha256(raw).digest()
    if (name, digest) in _valid:
        return ""
    try:
        _adapter(name).validate_json(raw, strict=True)
    except ValidationError as error:
        return f"{name}: {error}"
    inner = name.removeprefix("list[").removesuffix("]")
    items: Iterable[Any] = body if isinstance(body, list) else (body,)
    extra = {key for item in items for key in item} - known_fields(inner)
    if extra:
        return f"{name}: unpublished keys {sorted(extra)}"
    if len(_valid) < _SEEN_AT_MOST:
        _valid.add((name, digest))
    return ""


def faults_in_request(name: str, body: dict[str, Any]) -> list[dict[str, str]]:
    """GitHub's `errors` for a body that is not of this model; empty when it is."""
    try:
        _adapter(name).validate_python(body)
    except ValidationError as error:
        return [
            {"resource": name, "field": ".".join(map(str, fault["loc"])), "code": "invalid", "message": fault["msg"]}
            for fault in error.errors()
        ]
    return []
