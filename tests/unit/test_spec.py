"""The values a batch is made of: checked when made, frozen afterwards."""

from __future__ import annotations

import copy
import pickle
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from parallel_workers.frozen_mapping import FrozenMapping
from parallel_workers.spec import AgentProfile, BatchSpec, TaskSpec
from parallel_workers.spec_values import find_ref_fault

BATCH = BatchSpec(
    name="b",
    project="p",
    tasks=(TaskSpec(id="a", description="x"),),
    agents={"mine": AgentProfile(command=("x",))},
)


def test_a_batch_is_frozen_through_and_through() -> None:
    with pytest.raises(ValidationError):
        BATCH.project = "q"  # type: ignore[misc]
    with pytest.raises(TypeError):
        BATCH.agents["other"] = AgentProfile()  # type: ignore[index]


def test_a_batch_can_be_copied_pickled_and_written_as_json() -> None:
    for copied in (copy.deepcopy(BATCH), pickle.loads(pickle.dumps(BATCH)), BATCH.model_copy(deep=True)):  # noqa: S301
        assert copied == BATCH
        assert isinstance(copied.agents, FrozenMapping)
    carried = BatchSpec.model_validate_json(BATCH.model_dump_json())
    assert carried == BATCH
    assert isinstance(carried.agents, FrozenMapping)
    assert carried.model_fields_set == BATCH.model_fields_set


def test_equal_mappings_hash_alike() -> None:
    one, other = FrozenMapping({"a": 1, "b": 2}), FrozenMapping({"b": 2, "a": 1})
    assert one == other
    assert hash(one) == hash(other)
    assert one != FrozenMapping({"a": 1})
    assert repr(FrozenMapping({"a": 1})) == "FrozenMapping({'a': 1})"


def test_the_mapping_it_was_made_from_may_change() -> None:
    source = {"a": 1}
    frozen = FrozenMapping(source)
    source["a"] = 2
    assert frozen["a"] == 1


def test_a_task_is_found_by_its_id() -> None:
    assert BATCH.task("a") is BATCH.tasks[0]
    with pytest.raises(KeyError):
        BATCH.task("b")


@pytest.mark.parametrize(
    "values",
    [{"id": "a b"}, {"id": "\udce9"}, {"description": " "}, {"priority": 11}, {"priority": True}, {"other": 1}],
)
def test_a_task_is_checked_however_it_is_made(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TaskSpec.model_validate({"id": "a", "description": "x", **values})


@given(st.text(alphabet="ab/.@{~^:?*[\\-é \t", min_size=1, max_size=8) | st.sampled_from(["a.lock", "a.lock/b", "@"]))
@settings(max_examples=40, deadline=None)
def test_ref_names_are_judged_as_git_judges_them(name: str) -> None:
    git = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False)
    # On their own, '@' and a leading '/' are no names, though git takes them behind a prefix.
    if name != "@" and not name.startswith("/"):
        assert (find_ref_fault(name) is None) == (git.returncode == 0)
