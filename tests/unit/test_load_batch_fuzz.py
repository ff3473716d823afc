"""Whatever a batch file holds, `load_batch` answers a batch or InvalidSpecError; nothing else ever comes out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_workers.errors import InvalidSpecError
from parallel_workers.settings import parse_settings
from parallel_workers.spec import AgentProfile, BatchFile, BatchSpec, Gate, Metadata, TaskSpec
from parallel_workers.validation import load_batch

_MODELS = (BatchFile, TaskSpec, Gate, AgentProfile, Metadata)
_KEYS = sorted({name for model in _MODELS for name in model.model_fields} | {"<<", "x-a", "name", "dependsOn", ""})
_EXAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parents[2] / "examples/batches").glob("*.yml"))]
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.binary(max_size=5),
    st.text(max_size=20),
    st.sampled_from(["T-1", "T-2", "t.1", "code-author", "5m", "main", "..", "auto", "local", "\ud800", "\0", "@"]),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS) | _SCALARS, inner, max_size=6),
    max_leaves=15,
)
_TASKS = st.lists(st.dictionaries(st.sampled_from(sorted(TaskSpec.model_fields)), _VALUES, max_size=6), max_size=4)
_BATCHES = st.builds(
    lambda more, tasks: {"project": "p", **more, "tasks": tasks},
    st.dictionaries(st.sampled_from(sorted(BatchFile.model_fields)), _VALUES, max_size=4),
    _TASKS,
)


def load(content: bytes) -> BatchSpec | InvalidSpecError:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "batch.yml")
        path.write_bytes(content)
        try:
            batch = load_batch(path)
        except InvalidSpecError as error:
            assert error.problems
            lines = len(content.decode("utf-8", "replace").splitlines()) or 1
            assert all(1 <= problem.line <= lines and problem.message for problem in error.problems)
            assert str(error).encode()  # no lone surrogate reaches a terminal
            return error
    # What holds also makes the trip through Prefect's JSON.
    assert BatchSpec.model_validate_json(batch.model_dump_json()) == batch
    return batch


def parse_any_settings(text: str) -> None:
    try:
        parse_settings(text, "f")
    except InvalidSpecError as error:
        assert error.problems


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=50)
def test_any_bytes(content: bytes) -> None:
    load(content)


@given(st.text(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"%@#,?\n\t <~0.", max_size=60))
@settings(deadline=None, max_examples=120)
def test_any_text(text: str) -> None:
    load(text.encode("utf-8", "surrogatepass"))
    parse_any_settings(text)


@given(_VALUES | _BATCHES)
@settings(deadline=None, max_examples=60)
def test_any_structure(value: Any) -> None:
    written = yaml.dump(value, allow_unicode=True)
    load(written.encode("utf-8", "surrogatepass"))
    parse_any_settings(written)


@given(st.sampled_from(_EXAMPLES), st.data())
@settings(deadline=None, max_examples=80)
def test_any_slip_in_a_file_that_holds(content: bytes, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(begin, min(begin + 30, len(content))))
    slip = data.draw(st.binary(max_size=4) | st.sampled_from([b"\n", b"\t", b"  ", b": ", b"- ", b"*a", b"&a ", b"#"]))
    load(content[:begin] + slip + content[end:])
