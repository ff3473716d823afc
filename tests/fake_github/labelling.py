"""Labels of a repository and of its pull requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.fake_github.calls import ApiError, invalid
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Label, Pull

NAME_MAX, LABELS_MAX = 50, 100


def make_label(state: RepositoryState, name: str, color: str = "ededed", description: str | None = None) -> Label:
    """A new label. Raises ApiError 422 for a name that is taken, empty or too long."""
    if not name.strip():
        raise invalid("Label", "name", "missing_field")
    if len(name) > NAME_MAX:
        raise invalid("Label", "name", "custom", message="name is too long (maximum is 50 characters)")
    if name.lower() in state.labels:
        raise invalid("Label", "name", "already_exists")
    label = Label(next(state.world.ids), name, color, description)
    state.labels[name.lower()] = label
    return label


def label_names(wanted: Iterable[Any]) -> list[str]:
    """Names in a request, where a label may be a text or an object."""
    return [str(one["name"] if isinstance(one, dict) else one) for one in wanted]


def put_labels(state: RepositoryState, pull: Pull, names: Iterable[str]) -> None:
    """The pull request has these labels from now on; unknown ones are made, in grey."""
    keys = list(dict.fromkeys(name.lower() for name in names))
    if len(keys) > LABELS_MAX:
        raise ApiError(422, "Validation Failed", ["Issue cannot have more than 100 labels"])
    for name in names:
        if name.lower() not in state.labels:
            make_label(state, name)
    if keys != pull.label_keys:
        pull.label_keys = keys
        state.touch(pull)
